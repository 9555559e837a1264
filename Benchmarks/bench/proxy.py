"""A way to the feed of which one connection can be cut."""

import socket
import threading


class Proxy:
    """Forwards everything until :meth:`cut`; from then on new connections are refused until :meth:`restore`."""

    def __init__(self, url: str) -> None:
        self.target = ("127.0.0.1", int(url.rsplit(":", 1)[1].split("/")[0]))
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"ws://127.0.0.1:{self.listener.getsockname()[1]}/stocks"
        self.pairs: list[tuple[socket.socket, socket.socket]] = []
        self.refuses = False
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            if self.refuses:
                client.close()
                continue
            server = socket.create_connection(self.target)
            self.pairs.append((client, server))
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self.pump, args=(source, sink), daemon=True).start()

    @staticmethod
    def pump(source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def cut(self) -> None:
        """Ends the first connection and refuses new ones."""
        self.refuses = True
        for end in self.pairs.pop(0):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # the other end was faster

    def restore(self) -> None:
        self.refuses = False

    def close(self) -> None:
        self.listener.close()
