"""What a row costs a disk that wears out, beside Python's sqlite3 with the same commits."""

import os
import shutil
import sqlite3
import time

from . import run
from .row import NotMeasured
from .table import Result

SECONDS = 20
# The most bytes a row may cost, at so many trades a second; between the default and auto there is only the comparison.
MOST = {(100, "50"): 1_726, (1_000, "50"): 447, (100, "auto"): 250, (1_000, "auto"): 150}
TRADE = ("AAPL", 1_704_205_800_000, 187.15, 100.0, 4, 3, "52983525029461", "[12,37]", 1_234_567, 1_704_205_800_000_000, "1")
TABLE = (
    "create table trades (seq integer primary key autoincrement, symbol text, time_ms integer, price real, size real,"
    " exchange integer, tape integer, trade_id text, conditions text, sequence integer, received_us integer,"
    " connection text)")
INSERT = (
    "insert into trades (symbol, time_ms, price, size, exchange, tape, trade_id, conditions, sequence, received_us,"
    " connection) values (?,?,?,?,?,?,?,?,?,?,?)")


def written(process: str) -> int:
    """Bytes that a process had written to disks."""
    with open(f"/proc/{process}/io") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("write_bytes"))


def python(path: str, rate: int, interval: float) -> float:
    """Bytes a row of Python's sqlite3, with a commit each interval."""
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("pragma journal_mode = wal")
    database.execute("pragma synchronous = full")
    database.execute(TABLE)
    before, rows, began = written("self"), 0, time.monotonic()
    while (passed := time.monotonic() - began) < SECONDS:
        due = int(passed * rate) - rows
        database.execute("begin")
        database.executemany(INSERT, [TRADE] * due)
        database.execute("commit")
        rows += due
        time.sleep(interval)
    bytes_written = written("self") - before
    database.close()
    return bytes_written / rows


def rows(directory: str) -> int:
    database = sqlite3.connect(f"file:{directory}/ticks.sqlite?mode=ro", uri=True)
    try:
        return database.execute("select count(*) from trades").fetchone()[0]
    finally:
        database.close()


def measure(rate: int, interval: str):
    """A row of the table: bytes written for each trade, at so many trades a second."""

    def figures(context) -> Result:
        place = os.path.join(context.directory, "wear")
        result = Result(unit="B", figures=[], limit_name="Python's sqlite3, as often", most=MOST.get((rate, interval)))
        symbols = [f"W{chr(65 + number // 10)}{chr(65 + number % 10)}" for number in range(100)]
        settings = {
            "MASSIVE_API_KEY": "bench", "SYMBOLS": ",".join(symbols), "FEED_EVENTS": "T", "EDGETICK_DATA_DIR": place,
            "COLLECTOR_ID": "bench", "HTTP_PORT": "0", "BUFFER_COMMIT_INTERVAL_MS": interval,
        }
        with run.Background(
                run.EDGETICK, "simulate", "--port", "0", "--synthetic", ",".join(symbols), "--rate", str(rate / 100)) as feed:
            settings["MASSIVE_WEBSOCKET_URL"] = feed.line("listening on ")
            with run.Background(run.EDGETICK, "run", "--env-file", os.devnull, env=settings) as box:
                time.sleep(5)
                before, start = written(str(box.process.pid)), rows(place)
                time.sleep(SECONDS)
                amount, count = written(str(box.process.pid)) - before, rows(place) - start
        shutil.rmtree(place)
        if amount == 0:
            raise NotMeasured("the scratch directory is on no disk")
        result.figures.append(amount / count)
        if interval != "auto":
            os.mkdir(place)
            result.limits.append(python(os.path.join(place, "peer.db"), rate, int(interval) / 1000))
            shutil.rmtree(place)
        return result

    return figures
