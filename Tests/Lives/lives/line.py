"""The line between the collectors and the database: it can be cut, and it can swallow the server's answers."""

import asyncio
import threading
from dataclasses import dataclass, field


@dataclass
class Line:
    """A TCP proxy to one port."""

    target: int
    loop: asyncio.AbstractEventLoop
    open: bool = True
    # The server gets what is sent, and what it answers is lost.
    swallowing: bool = False
    port: int = 0
    server: asyncio.Server | None = None
    writers: set[asyncio.StreamWriter] = field(default_factory=set)

    async def start(self) -> None:
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        self.open = False
        if self.server:
            self.server.close()
        self._end()

    def cut(self) -> None:
        """Ends every connection and refuses new ones."""
        self.open = False
        done = threading.Event()
        self.loop.call_soon_threadsafe(lambda: (self._end(), done.set()))
        done.wait(5)

    def mend(self) -> None:
        self.open, self.swallowing = True, False

    def _end(self) -> None:
        for writer in list(self.writers):
            writer.transport.abort()
        self.writers.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.open:
            writer.transport.abort()
            return
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        self.writers |= {writer, back}
        try:
            await asyncio.gather(self._copy(reader, back, False), self._copy(there, writer, True))
        finally:
            self.writers -= {writer, back}
            writer.close()
            back.close()

    async def _copy(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, is_answer: bool) -> None:
        try:
            while data := await source.read(65_536):
                if not (is_answer and self.swallowing):
                    target.write(data)
                    await target.drain()
        except OSError:
            pass
        finally:
            target.close()
