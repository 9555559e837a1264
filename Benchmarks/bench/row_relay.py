"""The relay: what it adds to an event's way, what a core of it sends to many clients, and what it costs the collecting."""

import mmap
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import time
from contextlib import contextmanager
from typing import Iterator

from . import row_stream, run
from .prepared_feed import PreparedFeed, Share
from .row import Context, NotMeasured
from .table import Result

LOAD = os.path.join(run.LIMITS, "relay")
HUB = os.path.join(os.path.dirname(__file__), "hub.py")
RATE, SECONDS, CLIENTS = 10_000, 6, 10
FAN, FAN_CLIENTS = 200_000, 100
DAY_KINDS = ["A", "AM", "T", "Q"]
REPLAY_DAYS = 3
COLLECTED_KINDS, COLLECTED_DAYS = ["A", "AM", "T"], 12
HELD_CLIENTS = 20
# A bar has no sequence, a trade or quote no start.
IDENTITY = re.compile(rb'{"ev":"(AM?|T|Q)","sym":"([^"]+)"[^}]*?(?:"q"|"s":\d+,"e"):(\d+)')


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
def relay(
        context: Context, feed: str, port: int, core: int | None = 1, **settings: str) -> Iterator[run.Background]:
    """A collector with a relay on a port, which takes clients when this begins."""
    place = os.path.join(context.directory, "relay")
    environment = {
        "MASSIVE_API_KEY": "bench", "MASSIVE_WEBSOCKET_URL": feed, "FEED_EVENTS": "T", "SYMBOLS": "*",
        "EDGETICK_DATA_DIR": place, "COLLECTOR_ID": "bench", "LOG_LEVEL": "error", "HTTP_PORT": "0",
        "RELAY_PORT": str(port), "RELAY_CLIENT_BUFFER": "1GiB", "RELAY_MAX_CLIENTS": "1000", **settings,
    }
    try:
        with run.Background(run.EDGETICK, "run", "--env-file", os.devnull, core=core, env=environment) as collector:
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
    """The 99th percentile from the write of a frame to its last byte at a client, less that of a C relay in its place."""
    result = Result(
        unit="ms", figures=[], most=1,
        note=f"added p99, socket in to client out, {RATE // 1000} k events/s, {CLIENTS} clients")
    for _ in range(context.rounds):
        with Load("latency", str(RATE), str(SECONDS)) as load:
            with run.Background(LOAD, "pass", load.line("listening on "), str(CLIENTS), core=1) as least:
                load.tell(f"{least.line('listening on ')} {CLIENTS}")
                passed = load.last()[1]
        with Load("latency", str(RATE), str(SECONDS)) as load:
            port = free_port()
            with relay(context, f"ws://127.0.0.1:{load.line('listening on ')}/stocks", port):
                load.tell(f"{port} {CLIENTS}")
                result.figures.append(load.last()[1] - passed)
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
        found = connection.execute(
            f"{row_stream.COUNT} + coalesce((select max(seq) from quotes), 0)").fetchone()[0] or 0
        connection.close()
        return found
    except sqlite3.OperationalError:
        return 0


def day(context: Context, kinds: list[str]) -> Share:
    return Share({f"{kind}.*" for kind in kinds}, [line for kind in kinds for line in context.captures.lines(kind)])


def identities(text: bytes) -> dict[bytes, list[tuple[bytes, bytes]]]:
    """What tells one event from another, by kind, in the order of a text."""
    found: dict[bytes, list[tuple[bytes, bytes]]] = {}
    for kind, symbol, number in IDENTITY.findall(text):
        found.setdefault(kind, []).append((symbol, number))
    return found


def check(came: bytes | mmap.mmap, events: dict[bytes, list[tuple[bytes, bytes]]]) -> None:
    """Fails unless what came is the day's events, and then the day's again and again, without a hole or a double."""
    counts = dict.fromkeys(events, 0)
    for match in IDENTITY.finditer(came):
        kind, symbol, number = match.groups()
        sent, place = events[kind], counts[kind]
        if (symbol, number) != sent[place % len(sent)]:
            raise RuntimeError(
                f"event {place} of {kind.decode()} is {(symbol, number)} in place of {sent[place % len(sent)]}")
        counts[kind] += 1
    for kind, sent in events.items():
        if counts[kind] < len(sent):
            raise RuntimeError(f"{counts[kind]} events of {kind.decode()} came of {len(sent)}")


def replay(context: Context) -> Result:
    """A day's events into a client while the feed runs flat out, against `edgetick query` writing the day as JSON."""
    share, symbols = day(context, DAY_KINDS), sorted(context.captures.by_symbol(DAY_KINDS))
    events = identities("\n".join(share.frames).encode())
    count = sum(map(len, events.values()))
    streams = [["--interval", "1"], ["--interval", "60"], ["--stream", "trades"], ["--stream", "quotes"]]
    result = Result(
        unit="events/s", figures=[], limit_name="edgetick query", target=2.0, note="a day's bars, trades and quotes")
    for _ in range(context.rounds):
        port = free_port()
        place = os.path.join(context.directory, "relay")
        came = os.path.join(context.directory, "replayed")
        with PreparedFeed([share], REPLAY_DAYS, held=1) as feed, relay(
                context, feed.url, port, core=None, FEED_EVENTS=",".join(DAY_KINDS)):
            run.until(lambda: rows(place) >= count, 120, f"fewer than {count} events are there")
            own = {"EDGETICK_DATA_DIR": place}
            seconds = sum(
                run.seconds(
                    run.EDGETICK, "query", *symbols, *which, "--limit", str(count), "--format", "json", "--env-file",
                    os.devnull, env=own)
                for which in streams)
            result.limits.append(count / seconds)
            feed.release()
            run.until(lambda: rows(place) > count, 30, "the feed does not go on")
            with Load("replay", ",".join(sorted(share.channels)), came) as load:
                load.tell(f"{port} 1")
                taken, replayed = load.last()
                load.process.wait(60)
            result.figures.append(replayed / taken)
        with open(came, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
            check(text, events)
    return result


def durable(context: Context, share: Share, events: int, relays: bool) -> float:
    """Events a second that a collector makes durable, on both cores, while clients are at its relay or elsewhere."""
    port = free_port()
    with PreparedFeed([share], COLLECTED_DAYS, held=0) as feed, relay(
            context, feed.url, port, core=None, FEED_EVENTS=",".join(COLLECTED_KINDS),
            RELAY_CLIENT_BUFFER="16MiB"), Load("stand", str(HELD_CLIENTS)) as elsewhere, Load("hold") as load:
        load.tell(f"{port if relays else elsewhere.line('listening on ')} {HELD_CLIENTS}")
        load.line("holding")
        feed.release()
        place = os.path.join(context.directory, "relay", "ticks.sqlite")
        return row_stream.rate(place, row_stream.COUNT, events * COLLECTED_DAYS, time.monotonic() + 120)


def collecting(context: Context) -> Result:
    """What the clients cost by themselves is in both: without the relay, they are connected to a server that sends nothing."""
    share, events = day(context, COLLECTED_KINDS), context.captures.count(COLLECTED_KINDS)
    result = Result(
        unit="events/s", figures=[], limit_name="clients elsewhere", target=0.98,
        note=f"{HELD_CLIENTS} clients, four of them bad")
    for _ in range(context.rounds):
        result.limits.append(durable(context, share, events, relays=False))
        result.figures.append(durable(context, share, events, relays=True))
    return result
