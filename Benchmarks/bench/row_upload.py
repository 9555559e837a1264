"""Buffer to upstream: `edgetick sync`, against psql loading the same rows into the same table."""

import itertools
import os
import shutil
import sqlite3
import threading
from collections import Counter

from . import run
from .postgres import Server
from .row import NotMeasured
from .table import Result

ROWS = 1_000_000
BATCH = 20_000


class Box:
    """A data directory with rows to upload, and the database to upload them to."""

    def __init__(
            self, context, server: Server, append: str = "append", *migrate: str, name: str = "bench",
            rows: int = ROWS) -> None:
        self.server = server
        self.full = os.path.join(context.directory, f"upload-full-{name}")
        self.data = os.path.join(context.directory, f"upload-data-{name}")
        self.settings = {
            "DATABASE_URI": server.uri(), "COLLECTOR_ID": name, "LOG_LEVEL": "error", "FEED_EVENTS": "AM,T",
            "EDGETICK_DATA_DIR": self.data}
        self.csv = os.path.join(context.directory, "rows.csv")
        shutil.rmtree(self.full, ignore_errors=True)
        run.output(run.SUBJECT, append, self.full, str(rows), str(BATCH))
        run.output(run.EDGETICK, "migrate", *migrate, "--env-file", os.devnull, env=self.settings)

    def refill(self) -> None:
        """Puts the rows into the buffer again, as none of them was ever uploaded, and durable as a buffer's rows are."""
        shutil.rmtree(self.data, ignore_errors=True)
        shutil.copytree(self.full, self.data)
        for name in os.listdir(self.data):
            with open(os.path.join(self.data, name), "rb") as file:
                os.fsync(file.fileno())
        run.output(*self.server.psql("truncate edgetick_uploads", "checkpoint"))

    def sync(self) -> float:
        """Rows a second of one whole `edgetick sync`, its start and end included."""
        return ROWS / run.seconds(run.EDGETICK, "sync", "--env-file", os.devnull, env=self.settings)

    def export(self, table: str = "ohlcv_1min") -> None:
        run.output(*self.server.psql(f"\\copy {table} to '{self.csv}' with (format csv)"))


def new(context) -> Result:
    result = Result(unit="rows/s", figures=[], limit_name="psql \\copy", target=0.95)
    with Server() as server:
        box = Box(context, server)
        for number in range(context.rounds):
            box.refill()
            run.output(*server.psql("truncate ohlcv_1min", "checkpoint"))
            result.figures.append(box.sync())
            if number == 0:
                box.export()
            run.output(*server.psql("truncate ohlcv_1min", "checkpoint"))
            result.limits.append(ROWS / run.seconds(*server.psql(f"\\copy ohlcv_1min from '{box.csv}' with (format csv)")))
    return result


UPSERT = """insert into ohlcv_1min select * from incoming on conflict (symbol, "timestamp") do update set
open = excluded.open, high = excluded.high, low = excluded.low, close = excluded.close, volume = excluded.volume,
decimal_volume = excluded.decimal_volume, vwap = excluded.vwap, day_volume = excluded.day_volume,
day_open = excluded.day_open, day_vwap = excluded.day_vwap, average_size = excluded.average_size, otc = excluded.otc,
start_ms = excluded.start_ms, end_ms = excluded.end_ms, received_at = excluded.received_at,
collector = excluded.collector, connection = excluded.connection, source = excluded.source"""


def existing(context) -> Result:
    """Every row exists already; both sides write it again."""
    result = Result(unit="rows/s", figures=[], limit_name="COPY, INSERT ON CONFLICT", target=0.95)
    with Server() as server:
        box = Box(context, server)
        box.refill()
        box.sync()
        box.export()
        for _ in range(context.rounds):
            box.refill()
            run.output(*server.psql("vacuum full ohlcv_1min", "checkpoint"))
            result.figures.append(box.sync())
            run.output(*server.psql("vacuum full ohlcv_1min", "checkpoint"))
            result.limits.append(
                ROWS / run.seconds(*server.psql(
                    "create temp table incoming (like ohlcv_1min)",
                    f"\\copy incoming from '{box.csv}' with (format csv)", UPSERT)))
    return result


def ticks_identity(context) -> Result:
    """New trades into a table in which a unique index tells them apart; psql with the same batches."""
    result = Result(unit="rows/s", figures=[], limit_name="COPY, INSERT DO NOTHING", target=0.95)
    with Server() as server:
        box = Box(context, server, "append-trades", "--tick-identity")
        for number in range(context.rounds):
            box.refill()
            run.output(*server.psql("truncate trades", "checkpoint"))
            result.figures.append(box.sync())
            if number == 0:
                box.export("trades")
                parts = split(box.csv)
            run.output(*server.psql("truncate trades", "checkpoint"))
            batches = [
                command for part in parts for command in (
                    f"\\copy incoming from '{part}' with (format csv)",
                    "insert into trades select * from incoming on conflict do nothing", "truncate incoming")]
            result.limits.append(
                ROWS / run.seconds(*server.psql("create temp table incoming (like trades)", *batches)))
    return result


def split(path: str) -> list[str]:
    """The file in parts of a batch each."""
    parts = []
    with open(path) as rows:
        while lines := list(itertools.islice(rows, BATCH)):
            parts.append(f"{path}.{len(parts)}")
            with open(parts[-1], "w") as part:
                part.writelines(lines)
    return parts


class LockWaits(threading.Thread):
    """Looks again and again for what the server's clients wait: locks, by kind, as shares of all looks at a client."""

    SQL = """select coalesce(wait_event_type, ''), coalesce(wait_event, '') from pg_stat_activity
        where backend_type = 'client backend' and state = 'active' and pid <> pg_backend_pid()"""

    def __init__(self, server: Server) -> None:
        super().__init__(daemon=True)
        self.server, self.over, self.looks, self.waits = server, threading.Event(), 0, Counter()

    def __enter__(self) -> "LockWaits":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.join()

    def run(self) -> None:
        while not self.over.wait(0.02):
            for line in run.output(*self.server.psql(self.SQL), "-At").splitlines():
                kind, event = line.split("|")
                self.looks += 1
                if kind in ("Lock", "LWLock"):
                    self.waits[f"{kind} {event}"] += 1

    @property
    def summary(self) -> str:
        shares = [f"{name} {count / self.looks:.0%}" for name, count in self.waits.most_common(3)]
        return f"lock waits: {', '.join(shares) or 'none'} of {self.looks} looks"


def collectors(count: int):
    """So many collectors upload their share of the rows into one server at the same time; as many psql for comparison."""

    def measure(context) -> Result:
        result = Result(unit="rows/s", figures=[], limit_name=f"{count} psql \\copy")
        rows = ROWS // count
        with Server({"max_connections": "100"}) as server:
            boxes = [
                Box(context, server, "append-trades", name=f"bench-{number}", rows=rows) for number in range(count)]
            command = (run.EDGETICK, "sync", "--env-file", os.devnull)
            for number in range(context.rounds):
                for box in boxes:
                    box.refill()
                run.output(*server.psql("truncate trades", "checkpoint"))
                with LockWaits(server) as waits:
                    took = run.together([(command, box.settings) for box in boxes])
                result.figures.append(rows * count / took)
                if number == 0:
                    box.export("trades")
                    parts = split(box.csv)
                run.output(*server.psql("truncate trades", "checkpoint"))
                shares = [
                    server.psql(*(f"\\copy trades from '{part}' with (format csv)" for part in parts[first::count]))
                    for first in range(count)]
                result.limits.append(rows * count / run.together([(share, {}) for share in shares]))
            result.note = waits.summary
        return result

    return measure


EVERY = 20


def compressed(context) -> Result:
    """Each twentieth bar is corrected after its chunk was compressed; psql with the same statement for the same bars."""
    result = Result(unit="rows/s", figures=[], limit_name="COPY, INSERT ON CONFLICT", target=0.95)
    with Server({"shared_preload_libraries": "timescaledb", "max_worker_processes": "0"}) as server:
        try:
            run.output(*server.psql("create extension timescaledb"))
        except RuntimeError:
            raise NotMeasured("TimescaleDB is not installed")
        box = Box(context, server)
        run.output(run.EDGETICK, "migrate", "--policies", "--yes", "--env-file", os.devnull, env=box.settings)
        unlimited = "set timescaledb.max_tuples_decompressed_per_dml_transaction = 0"
        # What a round has corrected is as old as it was again, and compressed.
        restored = (
            unlimited, f"update ohlcv_1min set volume = volume - 1, average_size = 180 where average_size = {CORRECTED}",
            "select count(compress_chunk(c, if_not_compressed => true)) from show_chunks('ohlcv_1min') c", "checkpoint")
        box.refill()
        box.sync()
        correct(box.full)
        rows = ROWS // EVERY
        for number in range(context.rounds):
            box.refill()
            run.output(*server.psql(*restored))
            result.figures.append(rows / (ROWS / box.sync()))
            if number == 0:
                chosen = f"select * from ohlcv_1min where average_size = {CORRECTED}"
                run.output(*server.psql(f"\\copy ({chosen}) to '{box.csv}' with (format csv)"))
                parts = split(box.csv)
            run.output(*server.psql(*restored))
            batches = [
                command for part in parts for command in (
                    "truncate incoming", f"\\copy incoming from '{part}' with (format csv)", UPSERT)]
            result.limits.append(rows / run.seconds(*server.psql(
                unlimited, "create temp table incoming (like ohlcv_1min)", *batches)))
    return result


CORRECTED = 181


def correct(directory: str) -> None:
    """Leaves each twentieth bar in the buffer, numbered without holes, with more volume and received later."""
    with sqlite3.connect(os.path.join(directory, "ticks.sqlite")) as database:
        database.execute(f"delete from bars where seq % {EVERY} <> 0")
        database.execute(
            f"update bars set seq = seq / {EVERY}, volume = volume + 1, average_size = {CORRECTED}, "
            "received_us = received_us + 1000000")
    database.close()
