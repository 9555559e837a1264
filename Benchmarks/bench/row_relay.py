"""The relay: what it adds to an event's way, what a core of it sends to many clients, and what it costs the collecting."""

import os
import shutil
import socket
import sqlite3
import subprocess
import time
from contextlib import contextmanager
from typing import Iterator

from . import row_stream, run
from .row import Context, NotMeasured
from .table import Result

LOAD = os.path.join(run.LIMITS, "relay")
HUB = os.path.join(os.path.dirname(__file__), "hub.py")
RATE, SECONDS, CLIENTS = 10_000, 6, 10
FAN, FAN_CLIENTS = 200_000, 100


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


class Load(run.Background):
    """The feed and the clients; it is told where to connect on its input."""

    def __init__(self, *arguments: str) -> None:
        super().__init__(LOAD, *arguments, core=0, stdin=subprocess.PIPE)

    def tell(self, line: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def last(self) -> list[float]:
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.process.args}: ended without a figure, status {self.process.wait()}")
        return [float(figure) for figure in line.split()]


@contextmanager
def relay(context: Context, feed: str, port: int, **settings: str) -> Iterator[run.Background]:
    """A collector with a relay on a port, which takes clients when this begins."""
    place = os.path.join(context.directory, "relay")
    environment = {
        "MASSIVE_API_KEY": "bench", "MASSIVE_WEBSOCKET_URL": feed, "FEED_EVENTS": "T", "SYMBOLS": "*",
        "EDGETICK_DATA_DIR": place, "COLLECTOR_ID": "bench", "LOG_LEVEL": "error", "HTTP_PORT": "0",
        "RELAY_PORT": str(port), "RELAY_CLIENT_BUFFER": "1GiB", "RELAY_MAX_CLIENTS": "1000", **settings,
    }
    try:
        with run.Background(run.EDGETICK, "run", "--env-file", os.devnull, core=1, env=environment) as collector:
            wait_for(port)
            yield collector
    finally:
        shutil.rmtree(place, ignore_errors=True)


def wait_for(port: int) -> None:
    run.until(lambda: can_connect(port), 30, f"nobody listens on port {port}")


def can_connect(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def latency(context: Context) -> Result:
    """The 99th percentile from the write of a frame to its last byte at a client, less what two sockets take."""
    result = Result(
        unit="ms", figures=[], most=1,
        note=f"added p99, socket in to client out, {RATE // 1000} k events/s, {CLIENTS} clients")
    for _ in range(context.rounds):
        with Load("latency", str(RATE), str(SECONDS), "direct") as load:
            load.tell(f"{load.line('listening on ')} {CLIENTS}")
            direct = load.last()[1]
        with Load("latency", str(RATE), str(SECONDS)) as load:
            port = free_port()
            with relay(context, f"ws://127.0.0.1:{load.line('listening on ')}/stocks", port):
                load.tell(f"{port} {CLIENTS}")
                result.figures.append(load.last()[1] - direct)
    return result


def sent(load: Load, server: run.Background, port: int, events: int) -> tuple[float, float]:
    """What a server sends to the clients in a second of its processor time: events, and bytes of events."""
    load.tell(f"{port} {FAN_CLIENTS}")
    load.line("ready")
    before = server.cpu()
    load.tell("go")
    _, bytes_each = load.last()
    used = max(server.cpu() - before, 0.01)
    return events * FAN_CLIENTS / used, bytes_each * FAN_CLIENTS / used


def relayed(context: Context) -> tuple[float, float]:
    with Load("fan", str(FAN)) as load:
        port = free_port()
        with relay(context, f"ws://127.0.0.1:{load.line('listening on ')}/stocks", port) as collector:
            return sent(load, collector, port, FAN)


def hub(context: Context) -> Result:
    if not os.path.exists(row_stream.VENV):
        raise NotMeasured("the official Python client, and with it websockets, is not installed (make python)")
    result = Result(unit="events/s", figures=[], limit_name="Python hub", target=10.0)
    for _ in range(context.rounds):
        # A twentieth of the events takes it longer than all of them take the relay.
        events = FAN // 20
        with Load("fan", str(events)) as load:
            port = free_port()
            feed = f"ws://127.0.0.1:{load.line('listening on ')}/stocks"
            with run.Background(row_stream.VENV, HUB, feed, str(port), core=1) as server:
                server.line("serving")
                result.limits.append(sent(load, server, port, events)[0])
        result.figures.append(relayed(context)[0])
    return result


def broker(context: Context) -> Result:
    path = os.path.join(run.LIMITS, "nats-server")
    if not os.path.exists(path):
        raise NotMeasured("Debian's nats-server could not be had (apt-get download nats-server)")
    result = Result(unit="B/s", figures=[], limit_name="nats-server", target=0.5)
    for _ in range(context.rounds):
        port = free_port()
        with run.Background(path, "-a", "127.0.0.1", "-p", str(port), core=1) as server, Load("nats", str(FAN)) as load:
            wait_for(port)
            result.limits.append(sent(load, server, port, FAN)[1])
        result.figures.append(relayed(context)[1])
    return result


def rows(place: str) -> int:
    """How many events a collector has made durable."""
    try:
        connection = sqlite3.connect(f"file:{place}/ticks.sqlite?mode=ro", uri=True)
        found = connection.execute(row_stream.COUNT).fetchone()[0] or 0
        connection.close()
        return found
    except sqlite3.OperationalError:
        return 0


def replay(context: Context) -> Result:
    """A day's bars into a client, against `edgetick query` writing them as JSON."""
    kinds = ["A", "AM"]
    counts = context.captures.by_symbol(kinds)
    events = sum(counts.values())
    result = Result(unit="events/s", figures=[], limit_name="edgetick query", target=2.0, note="a day's bars")
    for _ in range(context.rounds):
        port = free_port()
        place = os.path.join(context.directory, "relay")
        with row_stream.feed(context, kinds) as simulator, relay(
                context, simulator.line("listening on "), port, FEED_EVENTS=",".join(kinds)):
            run.until(lambda: rows(place) >= events, 120, f"fewer than {events} bars are there")
            own = {"EDGETICK_DATA_DIR": place}
            seconds = sum(
                run.seconds(
                    run.EDGETICK, "query", symbol, "--interval", interval, "--format", "json", "--env-file", os.devnull,
                    core=1, env=own)
                for symbol in counts for interval in ("1", "60"))
            result.limits.append(events / seconds)
            with Load("replay", str(events), ",".join(f"{kind}.*" for kind in kinds)) as load:
                load.tell(f"{port} 1")
                result.figures.append(events / load.last()[0])
    return result


def durable(context: Context, clients: int) -> float:
    """Events a second that a collector makes durable while so many clients are there, half of which read nothing."""
    kinds = ["A", "AM", "T"]
    events = context.captures.count(kinds)
    port, feed = free_port(), free_port()
    settings = {
        "FEED_EVENTS": ",".join(kinds), "RELAY_CLIENT_BUFFER": "16MiB", "MASSIVE_WEBSOCKET_RECONNECT_DELAY": "1"}
    with relay(context, f"ws://127.0.0.1:{feed}/stocks", port, **settings), Load("hold") as load:
        if clients:
            load.tell(f"{port} {clients}")
            load.line("holding")
        # Not before the clients are there.
        with row_stream.feed(context, kinds, port=feed):
            place = os.path.join(context.directory, "relay", "ticks.sqlite")
            return row_stream.rate(place, row_stream.COUNT, events, time.monotonic() + 120)


def collecting(context: Context) -> Result:
    result = Result(
        unit="events/s", figures=[], limit_name="without clients", target=0.98, note="20 clients, idle or slow")
    for _ in range(context.rounds):
        result.limits.append(durable(context, 0))
        result.figures.append(durable(context, 20))
    return result
