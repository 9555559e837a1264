"""A feed server in the protocol of the provider's stocks socket, whose events are those of the market.

Each client is known by its key, and each key has a wire that a test may slow down, hold, cut or refuse. A wire lags by so
many seconds; while it is held the server queues what it would send; `throw` gives the queue away, as servers do with a
client that reads too slowly.
"""

import asyncio
import json
import socket
import struct
import threading
import time
from collections import deque
from dataclasses import dataclass, field

from . import market as markets
from . import websocket

TICK = 0.01
# A server gives a client up that lets so many bytes lie.
SLOW_CONSUMER_BYTES = 256 * 1024


def milliseconds() -> int:
    """The true time."""
    return time.time_ns() // 1_000_000


@dataclass
class Wire:
    """What stands between the feed and the clients of one key."""

    lag: float = 0.0
    held: bool = False
    refusing: bool = False
    sessions: list["Session"] = field(default_factory=list)

    @property
    def is_subscribed(self) -> bool:
        return any(session.cursors for session in self.sessions)


@dataclass(eq=False)
class Session:
    """One client."""

    writer: asyncio.StreamWriter
    wire: Wire | None = None
    # For each channel: events that are sent after this moment are still to come.
    cursors: dict[tuple[str, str], int] = field(default_factory=dict)
    queue: deque[tuple[int, str]] = field(default_factory=deque)

    def send(self, text: str) -> None:
        self.writer.write(websocket.frame(text.encode()))

    def status(self, *messages: tuple[str, str]) -> None:
        self.send(json.dumps([{"ev": "status", "status": status, "message": message} for status, message in messages]))

    def end(self, reset: bool = False) -> None:
        if reset:
            line = self.writer.get_extra_info("socket")
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.writer.transport.abort()
        else:
            self.writer.close()


class Feed:
    """The server, on a loop of its own that others may share."""

    def __init__(self, market: markets.Market, loop: asyncio.AbstractEventLoop, difference: int) -> None:
        # The market's time is the true time and so many milliseconds.
        self.market, self.loop, self.difference = market, loop, difference
        self.opened = milliseconds() + difference
        self.wires: dict[str, Wire] = {}
        # When each channel was subscribed for the first time, and when the market closed.
        self.first: dict[tuple[str, str], int] = {}
        self.closed: int | None = None
        # How many events were written to clients. What a reset or a kill threw away afterwards is among them.
        self.written = 0
        self.lock = threading.Lock()
        self.server: asyncio.Server | None = None
        self.pump: asyncio.Task[None] | None = None
        self.port = 0

    async def start(self) -> None:
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]
        self.pump = asyncio.create_task(self._pump())

    async def stop(self) -> None:
        if self.pump:
            self.pump.cancel()
        if self.server:
            self.server.close()
        for wire in self.wires.values():
            for session in list(wire.sessions):
                session.end(reset=True)

    def wire(self, key: str) -> Wire:
        return self.wires.setdefault(key, Wire())

    # What a test does, from any thread.

    def cut(self, key: str, reset: bool) -> None:
        """Ends the connections; what the server holds for them is gone."""
        self._on_loop(lambda: [self._drop(session, reset) for session in list(self.wire(key).sessions)])

    def throw(self, key: str, reset: bool) -> None:
        """Gives up the queue of clients that read too slowly, and the clients."""

        def give_up() -> None:
            for session in list(self.wire(key).sessions):
                session.status(("slow_consumer", "the client reads too slowly"))
                self._drop(session, reset)

        self._on_loop(give_up)

    def close_market(self) -> int:
        """No event is made after this moment."""
        self.closed = milliseconds() + self.difference
        return self.closed

    def now(self) -> int:
        """The market's time, which stands still when it has closed."""
        return self.closed or milliseconds() + self.difference

    def is_drained(self, key: str) -> bool:
        """Whether everything that is due on a key's connections has been written to them."""
        wire = self.wire(key)
        return wire.is_subscribed and all(
            not session.queue and all(cursor == self.closed for cursor in session.cursors.values())
            and session.writer.transport.get_write_buffer_size() == 0
            for session in wire.sessions
        )

    # The server.

    def _on_loop(self, body) -> None:
        done = threading.Event()
        self.loop.call_soon_threadsafe(lambda: (body(), done.set()))
        done.wait(5)

    def _drop(self, session: Session, reset: bool) -> None:
        session.queue.clear()
        session.cursors.clear()
        session.end(reset)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = Session(writer)
        try:
            await websocket.accept(reader, writer)
            session.status(("connected", "Connected Successfully"))
            while True:
                kind, payload = await websocket.receive(reader)
                if kind == websocket.TEXT:
                    if not self._answer(session, json.loads(payload)):
                        return
                elif kind == websocket.PING:
                    writer.write(websocket.frame(payload, websocket.PONG))
                elif kind == websocket.CLOSE:
                    writer.write(websocket.frame(payload, websocket.CLOSE))
                    return
        except (OSError, EOFError, ValueError, websocket.Refused):
            pass
        finally:
            if session.wire and session in session.wire.sessions:
                session.wire.sessions.remove(session)
            session.cursors.clear()
            writer.close()

    def _answer(self, session: Session, request: dict[str, str]) -> bool:
        """Does what a client asks; whether the connection lives on."""
        action, parameters = request.get("action"), request.get("params", "")
        if action == "auth":
            wire = self.wire(parameters)
            if wire.refusing:
                return False
            session.wire = wire
            wire.sessions.append(session)
            session.status(("auth_success", "authenticated"))
        elif session.wire is None:
            session.status(("error", "authentication required"))
        elif action == "subscribe":
            self._subscribe(session, parameters.split(","))
        elif action == "unsubscribe":
            for channel in parameters.split(","):
                session.cursors.pop(tuple(channel.split(".", 1)), None)
                session.status(("success", f"unsubscribed to: {channel}"))
        return True

    def _subscribe(self, session: Session, channels: list[str]) -> None:
        now = self.now()
        answers = []
        for channel in channels:
            kind, _, symbol = channel.partition(".")
            if kind not in markets.KINDS or not symbol:
                answers.append(("error", f"unknown channel {channel}"))
            elif (kind, symbol) not in session.cursors:
                session.cursors[kind, symbol] = now
                self.first.setdefault((kind, symbol), now)
                answers.append(("success", f"subscribed to: {channel}"))
        if answers:
            session.status(*answers)

    async def _pump(self) -> None:
        while True:
            now = milliseconds() + self.difference
            for wire in list(self.wires.values()):
                for session in list(wire.sessions):
                    self._bring(session, wire, now)
            await asyncio.sleep(TICK)

    def _bring(self, session: Session, wire: Wire, now: int) -> None:
        limit = min(now, self.closed or now)
        fresh = []
        for (kind, symbol), cursor in session.cursors.items():
            if limit > cursor:
                for number in self.market.numbers(kind, symbol, cursor, limit):
                    event = self.market.event(kind, symbol, number)
                    fresh.append((event.emitted, event.text))
                session.cursors[kind, symbol] = limit
        session.queue.extend(sorted(fresh))
        if wire.held or session.writer.transport.is_closing():
            return
        due, horizon = [], now - int(wire.lag * 1000)
        while session.queue and session.queue[0][0] <= horizon:
            due.append(session.queue.popleft()[1])
        self.written += len(due)
        for start in range(0, len(due), 500):
            session.send(f"[{','.join(due[start:start + 500])}]")
        if session.writer.transport.get_write_buffer_size() > SLOW_CONSUMER_BYTES:
            session.status(("slow_consumer", "the client reads too slowly"))
            self._drop(session, reset=False)
