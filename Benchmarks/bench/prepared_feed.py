"""A feed that spends nothing on its events: each client gets bytes that have been WebSocket frames before it came.

The simulator picks out and copies what each client wants, which takes longer the more clients there are; here the
collector alone is measured.
"""

import base64
import hashlib
import json
import os
import socket
import struct
import threading
from dataclasses import dataclass
from typing import BinaryIO

from . import machine

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


def wire(opcode: int, payload: bytes) -> bytes:
    """A WebSocket frame as a server sends it."""
    size = len(payload)
    if size < 126:
        return struct.pack("!BB", 0x80 | opcode, size) + payload
    if size < 65536:
        return struct.pack("!BBH", 0x80 | opcode, 126, size) + payload
    return struct.pack("!BBQ", 0x80 | opcode, 127, size) + payload


def unmasked(stream: BinaryIO) -> tuple[int, bytes]:
    """The next frame of a client; its messages are short enough to come in one each."""
    head = stream.read(2)
    if len(head) < 2:
        return CLOSE, b""
    size = head[1] & 127
    if size == 126:
        (size,) = struct.unpack("!H", stream.read(2))
    elif size == 127:
        (size,) = struct.unpack("!Q", stream.read(8))
    mask, payload = stream.read(4), stream.read(size)
    key = (mask * (size // 4 + 1))[:size]
    return head[0] & 15, (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big")


@dataclass
class Share:
    """What one client is to subscribe to, and what it then gets."""

    channels: set[str]
    frames: list[str]


class PreparedFeed:
    """Sends each share so many times, once every share has been subscribed to by a client of its own.

    With `held` it waits for `release` when so many times are sent.
    """

    def __init__(self, shares: list[Share], times: int, held: int | None = None) -> None:
        self.shares = [(share.channels, b"".join(wire(TEXT, frame.encode()) for frame in share.frames)) for share in shares]
        self.times = times
        self.start = threading.Barrier(len(shares))
        self.held, self.gate = held, threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"ws://127.0.0.1:{self.listener.getsockname()[1]}/stocks"
        self.clients: list[socket.socket] = []

    def __enter__(self) -> "PreparedFeed":
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.start.abort()
        self.gate.set()
        for end in [self.listener, *self.clients]:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # the collector has gone already
            end.close()

    def release(self) -> None:
        self.gate.set()

    def accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.clients.append(client)
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client: socket.socket) -> None:
        os.sched_setaffinity(0, machine.cores()[:1])  # of this thread; the collector has the other core
        try:
            with client.makefile("rb") as stream:
                self.shake_hands(client, stream)
                events = self.dialogue(client, stream)
                if events is None:
                    return
                self.start.wait()
                for number in range(self.times):
                    if number == self.held:
                        self.gate.wait()
                    client.sendall(events)
                while unmasked(stream)[0] != CLOSE:
                    pass
        except (OSError, threading.BrokenBarrierError):
            pass  # the round is over

    @staticmethod
    def shake_hands(client: socket.socket, stream: BinaryIO) -> None:
        key = b""
        while (line := stream.readline().strip()) != b"":
            name, _, value = line.partition(b":")
            if name.lower() == b"sec-websocket-key":
                key = value.strip()
        accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()).decode()
        client.sendall((
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept}\r\n\r\n").encode())

    def dialogue(self, client: socket.socket, stream: BinaryIO) -> bytes | None:
        """Logs a client in and confirms what it subscribes to; returns the events of the share that this completes."""
        def say(*statuses: tuple[str, str]) -> None:
            text = json.dumps([{"ev": "status", "status": status, "message": message} for status, message in statuses])
            client.sendall(wire(TEXT, text.encode()))

        subscribed: set[str] = set()
        say(("connected", "Connected Successfully"))
        while True:
            opcode, payload = unmasked(stream)
            if opcode == CLOSE:
                return None
            if opcode == PING:
                client.sendall(wire(PONG, payload))
            if opcode != TEXT:
                continue
            message = json.loads(payload)
            if message["action"] == "auth":
                say(("auth_success", "authenticated"))
            elif message["action"] == "subscribe":
                channels = message["params"].split(",")
                subscribed |= set(channels)
                say(*(("success", f"subscribed to: {channel}") for channel in channels))
                for wanted, events in self.shares:
                    if subscribed == wanted:
                        return events
