"""Socket to durable row, flat out: the feed in one process, the collector in another, each on a core of its own."""

import os
import shutil
import sqlite3
import time

from . import captures, row_append, run
from .table import Result

VENV = os.path.join(run.ROOT, ".build/python/bin/python")
PEER = os.path.join(os.path.dirname(__file__), "peer.py")


# The captured bars are 51,000 events, a twentieth of a second's work: too few to time.
PEER_TIMES = 20


def feed(kinds: list[str], times: int = 1) -> run.Background:
    """The captures of some kinds, each so many times."""
    files = list(dict.fromkeys(path for kind in kinds for path in captures.paths(kind))) * times
    return run.Background(
        run.EDGETICK, "simulate", "--port", "0", "--speed", "flat-out", "--exit-when-done", "--capture", *files, core=0)


def rate(database: str, query: str, events: int, deadline: float) -> float:
    """Events a second, from the first rows seen in the file to the last."""
    first: tuple[float, int] | None = None
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
        if first and count >= events:
            return (count - first[1]) / max(1e-9, now - first[0])
    raise RuntimeError(f"{database} did not reach {events} rows in time")


COUNT = "select coalesce((select max(seq) from bars), 0) + coalesce((select max(seq) from trades), 0)"


def collect(place: str, kinds: list[str], events: int, times: int = 1) -> float:
    with feed(kinds, times) as simulator:
        url = simulator.line("listening on ")
        settings = {
            "MASSIVE_API_KEY": "bench", "MASSIVE_WEBSOCKET_URL": url, "SYMBOLS": "*", "FEED_EVENTS": ",".join(kinds),
            "EDGETICK_DATA_DIR": place, "COLLECTOR_ID": "bench", "LOG_LEVEL": "error", "HTTP_PORT": "0",
        }
        with run.Background(run.EDGETICK, "run", "--env-file", os.devnull, core=1, env=settings):
            return rate(os.path.join(place, "ticks.sqlite"), COUNT, events, time.monotonic() + 120)


def counted(kinds: list[str]) -> int:
    return sum(
        line.count(f'"ev":"{kind}"')
        for kind in kinds for path in dict.fromkeys(captures.paths(kind)) for line in captures.lines(path))


def measure(context) -> Result:
    kinds = ["A", "AM", "T"]
    events = counted(kinds)
    result = Result(unit="events/s", figures=[], limit_name="C append", target=0.6)
    for number in range(context.rounds):
        limit = os.path.join(context.directory, f"stream-limit-{number}.db")
        result.limits.append(
            float(run.output(f"{run.LIMITS}/append", limit, str(row_append.ROWS), str(row_append.EACH), core=1)))
        os.remove(limit)
        place = os.path.join(context.directory, f"stream-{number}")
        result.figures.append(collect(place, kinds, events))
        shutil.rmtree(place)
    return result


def peer(context) -> Result:
    """The same, against the feed's official Python client writing into SQLite."""
    from .rows import Skipped

    if not os.path.exists(VENV):
        raise Skipped("the official Python client is not installed (make python)")
    kinds = ["A", "AM"]
    events = counted(kinds) * PEER_TIMES
    result = Result(unit="events/s", figures=[], limit_name="Python client", target=5.0)
    for number in range(context.rounds):
        database = os.path.join(context.directory, f"peer-{number}.db")
        with feed(kinds, PEER_TIMES) as simulator:
            address = simulator.line("listening on ").split("//")[1].split("/")[0]
            with run.Background(VENV, PEER, address, ",".join(f"{kind}.*" for kind in kinds), database, core=1):
                result.limits.append(rate(database, "select max(rowid) from bars", events, time.monotonic() + 300))
        os.remove(database)
        place = os.path.join(context.directory, f"stream-peer-{number}")
        result.figures.append(collect(place, kinds, events, PEER_TIMES))
        shutil.rmtree(place)
    return result
