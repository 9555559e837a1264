"""Socket to durable row, flat out: the feed in one process, the collector in another, each on a core of its own."""

import os
import shutil
import sqlite3
import time

from . import generated, row_append, run
from .prepared_feed import PreparedFeed, Share
from .row import Context, NotMeasured
from .table import Result

VENV = os.path.join(run.ROOT, ".build/python/bin/python")
PEER = os.path.join(os.path.dirname(__file__), "peer.py")


# The captured bars are 51,000 events, a twentieth of a second's work: too few to time.
PEER_TIMES = 20


def feed(context: Context, kinds: list[str], times: int = 1, port: int = 0) -> run.Background:
    """The captures of some kinds, each so many times, on a port, or on any free one."""
    files = [path for kind in kinds for path in context.captures.paths(kind)] * times
    return run.Background(
        run.EDGETICK, "simulate", "--port", str(port), "--speed", "flat-out", "--exit-when-done", "--capture", *files, core=0)


def rate(database: str, query: str, events: int, deadline: float) -> float:
    """Events a second, from the first rows seen in the file to the last."""
    first: tuple[float, int] | None = None
    count = 0
    while time.monotonic() < deadline:
        time.sleep(0.02)
        if not os.path.exists(database):
            continue
        try:
            connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
            count = connection.execute(query).fetchone()[0] or 0
            connection.close()
        except sqlite3.OperationalError:
            continue
        now = time.monotonic()
        if count and first is None:
            first = (now, count)
            if count > events / 2:
                raise NotMeasured(f"{count} of {events} rows were there at the first look: too few to time")
        if first and count >= events:
            return (count - first[1]) / (now - first[0])
    raise NotMeasured(f"{count} of {events} rows came in time")


COUNT = "select coalesce((select max(seq) from bars), 0) + coalesce((select max(seq) from trades), 0)"


def collected(place: str, url: str, kinds: list[str], events: int, **symbols: str) -> float:
    """Events a second that a collector with these symbols makes durable."""
    settings = {
        "MASSIVE_API_KEY": "bench", "MASSIVE_WEBSOCKET_URL": url, "FEED_EVENTS": ",".join(kinds),
        "EDGETICK_DATA_DIR": place, "COLLECTOR_ID": "bench", "LOG_LEVEL": "error", "HTTP_PORT": "0", **symbols,
    }
    try:
        with run.Background(run.EDGETICK, "run", "--env-file", os.devnull, core=1, env=settings):
            return rate(os.path.join(place, "ticks.sqlite"), COUNT, events, time.monotonic() + 120)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def collect(context: Context, name: str, kinds: list[str], events: int, times: int = 1) -> float:
    with feed(context, kinds, times) as simulator:
        url = simulator.line("listening on ")
        return collected(os.path.join(context.directory, name), url, kinds, events, SYMBOLS="*")


def measure(context: Context) -> Result:
    kinds = ["A", "AM", "T"]
    events = context.captures.count(kinds)
    result = Result(unit="events/s", figures=[], limit_name="C append", target=0.6)
    for number in range(context.rounds):
        limit = os.path.join(context.directory, f"stream-limit-{number}.db")
        result.limits.append(
            float(run.output(f"{run.LIMITS}/append", limit, str(row_append.ROWS), str(row_append.EACH), core=1)))
        os.remove(limit)
        result.figures.append(collect(context, f"stream-{number}", kinds, events))
    return result


def peer(context: Context) -> Result:
    """The same, against the feed's official Python client writing into SQLite."""
    if not os.path.exists(VENV):
        raise NotMeasured("the official Python client is not installed (make python)")
    kinds = ["A", "AM"]
    events = context.captures.count(kinds) * PEER_TIMES
    result = Result(unit="events/s", figures=[], limit_name="Python client", target=5.0)
    for number in range(context.rounds):
        database = os.path.join(context.directory, f"peer-{number}.db")
        with feed(context, kinds, PEER_TIMES) as simulator:
            address = simulator.line("listening on ").split("//")[1].split("/")[0]
            with run.Background(VENV, PEER, address, ",".join(f"{kind}.*" for kind in kinds), database, core=1):
                result.limits.append(rate(database, "select max(rowid) from bars", events, time.monotonic() + 300))
        os.remove(database)
        result.figures.append(collect(context, f"stream-peer-{number}", kinds, events, PEER_TIMES))
    return result


SHARE, SHARE_TIMES = 120_000, 8


def connections(context: Context) -> Result:
    """Three connections with a third of the symbols each, against one with them all: the same frames, one writer."""
    names = generated.symbols(300)
    thirds = [names[part::3] for part in range(3)]
    frames = [list(generated.frames("T", third, SHARE)) for third in thirds]
    length = min(map(len, frames))
    shares = [
        Share({f"T.{name}" for name in third}, part[:length]) for third, part in zip(thirds, frames)]
    whole = Share(set().union(*(share.channels for share in shares)), [
        frame for together in zip(*(share.frames for share in shares)) for frame in together])
    events = SHARE_TIMES * sum(frame.count('"ev":"T"') for frame in whole.frames)

    several = {"USE_MULTI_CONNECTION": "true"}
    for number, third in enumerate(thirds, 1):
        several[f"WEBSOCKET_CONNECTION_{number}_ENABLED"] = "true"
        several[f"WEBSOCKET_CONNECTION_{number}_SYMBOLS"] = ",".join(third)

    result = Result(unit="events/s", figures=[], limit_name="one connection", target=0.95)
    for number in range(context.rounds):
        for rates, parts, settings in (
                (result.limits, [whole], {"SYMBOLS": ",".join(names)}), (result.figures, shares, several)):
            with PreparedFeed(parts, SHARE_TIMES) as feed:
                place = os.path.join(context.directory, f"connections-{number}")
                rates.append(collected(place, feed.url, ["T"], events, **settings))
    return result
