"""Buffer to upstream: `edgetick sync`, against psql loading the same rows into the same table."""

import itertools
import os
import shutil

from . import run
from .postgres import Server
from .table import Result

ROWS = 1_000_000
BATCH = 20_000


class Box:
    """A data directory with rows to upload, and the database to upload them to."""

    def __init__(self, context, server: Server, append: str = "append", *migrate: str) -> None:
        self.server = server
        self.settings = {
            "DATABASE_URI": server.uri(), "COLLECTOR_ID": "bench", "LOG_LEVEL": "error", "FEED_EVENTS": "AM,T",
            "EDGETICK_DATA_DIR": os.path.join(context.directory, "upload-data")}
        self.full = os.path.join(context.directory, "upload-full")
        self.data = os.path.join(context.directory, "upload-data")
        self.csv = os.path.join(context.directory, "rows.csv")
        shutil.rmtree(self.full, ignore_errors=True)
        run.output(run.SUBJECT, append, self.full, str(ROWS), str(BATCH))
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
