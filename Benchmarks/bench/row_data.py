"""Data out and days complete: `edgetick export` against pyarrow, `edgetick reconcile` against a plain program."""

import os
import shutil
import sqlite3
import sys
from dataclasses import dataclass

from . import run
from .row import NotMeasured
from .table import Result

TRADES = 10_000_000
PYTHON = os.path.join(run.ROOT, ".build/python/bin/python")

# Writes the table of a Parquet file again, from memory, and prints how long that takes.
WRITE = """
import os, sys, time
import pyarrow.parquet as parquet
table = parquet.read_table(sys.argv[1], partitioning=None)
began = time.monotonic()
with open(sys.argv[2], "wb") as file:
    parquet.write_table(table, file, compression="none")
    file.flush()
    os.fdatasync(file.fileno())
print(time.monotonic() - began)
"""

# Compares every value of the exported file with the row that it came from.
COMPARE = """
import sqlite3, sys
import pyarrow as arrow, pyarrow.parquet as parquet
table = parquet.read_table(sys.argv[1], partitioning=None).drop_columns("adjustment")
rows = sqlite3.connect(f"file:{sys.argv[2]}?mode=ro", uri=True).execute(
    f"select {', '.join(table.column_names)} from trades order by seq")
place = 0
while part := rows.fetchmany(500_000):
    for name, values in zip(table.column_names, zip(*part)):
        column = table[name].slice(place, len(part))
        if arrow.types.is_decimal(column.type):
            # The generated prices have the noise of a sum in their last binary digits, the column nine decimals.
            read = [value and float(value) for value in column.to_pylist()]
            values = [value and round(value, 9) for value in values]
        elif arrow.types.is_timestamp(column.type):
            read = column.cast(arrow.int64()).to_pylist()
        else:
            read = column.to_pylist()
        assert read == list(values), f"{name} differs in the rows from {place}"
    place += len(part)
assert place == table.num_rows, f"{table.num_rows} rows exported, {place} in the file"
"""


def export_parquet(context) -> Result:
    """Ten million trades from the buffer's file to one of Parquet; pyarrow writes the same table out of memory."""
    if not os.path.exists(PYTHON):
        raise NotMeasured("there is no Python with pyarrow (make python)")
    result = Result(
        unit="rows/s", figures=[], limit_name="pyarrow, out of memory", least=1_000_000)
    data, output = (os.path.join(context.directory, name) for name in ("export-data", "export-output"))
    run.output(run.SUBJECT, "append-trades", data, str(TRADES), "20000")
    settings = {"EDGETICK_DATA_DIR": data, "LOG_LEVEL": "error"}
    path = os.path.join(output, "trades/day=2013-10-08/trades.parquet")
    for number in range(min(context.rounds, 3)):
        shutil.rmtree(output, ignore_errors=True)
        result.figures.append(TRADES / run.seconds(
            run.EDGETICK, "export", "--env-file", os.devnull, "--date", "2013-10-08", "--stream", "trades",
            "--output", output, env=settings))
        if number == 0:
            run.output(PYTHON, "-c", COMPARE, path, os.path.join(data, "ticks.sqlite"))
        result.limits.append(TRADES / float(run.output(PYTHON, "-c", WRITE, path, path + ".again")))
    shutil.rmtree(data)
    shutil.rmtree(output)
    return result


# What a short program takes for the same: asks for each symbol over one connection, and compares with the file.
PLAIN = """
import http.client, json, sqlite3, sys, time
began = time.monotonic()
starts = tuple(map(int, sys.argv[3:]))
rows = sqlite3.connect(f"file:{sys.argv[2]}?mode=ro", uri=True).execute(
    "select symbol, start_ms, open, high, low, close, volume, vwap from bars "
    "where start_ms between ? and ? order by seq", starts)
own = {row[:2]: row[2:] for row in rows}
connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
same = 0
for symbol in sorted({symbol for symbol, _ in own}):
    connection.request(
        "GET", "/v2/aggs/ticker/%s/range/1/minute/%d/%d?sort=asc&limit=50000" % (symbol, *starts),
        headers={"Authorization": "Bearer bench"})
    for bar in json.loads(connection.getresponse().read())["results"]:
        same += own.get((symbol, bar["t"])) == tuple(bar[name] for name in ("o", "h", "l", "c", "v", "vw"))
assert same == len(own), f"{same} of {len(own)} bars are the same"
print(time.monotonic() - began)
"""

# A REST server some way off: it has the simulator's answers, and gives each 20 ms after it was asked.
AWAY = """
import http.client, http.server, sys, time
simulator = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
answers = {}

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        time.sleep(0.020)
        body = answers[self.path.split("/")[4]]
        self.wfile.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(body) + body)

for symbol in sys.argv[4].split(","):
    simulator.request(
        "GET", "/v2/aggs/ticker/%s/range/1/minute/%s/%s?sort=asc&limit=50000" % (symbol, *sys.argv[2:4]),
        headers={"Authorization": "Bearer bench"})
    answers[symbol] = simulator.getresponse().read()
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print("listening on", server.server_port, flush=True)
server.serve_forever()
"""

# What that server takes for all answers, asked over four connections as the collector does; they are read, and no more.
OWN_TIME = """
import http.client, sys, threading, time
symbols = sys.argv[2].split(",")
began = time.monotonic()

def ask(some):
    connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
    for symbol in some:
        connection.request("GET", "/v2/aggs/ticker/%s/range/1/minute/0/0" % symbol)
        assert connection.getresponse().read()

threads = [threading.Thread(target=ask, args=(symbols[place::4],)) for place in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(time.monotonic() - began)
"""

# A process begins with the peak of the one that started it, so a small one starts the program.
PEAK = """
import os, subprocess, sys, time
began = time.monotonic()
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE)
said = process.stdout.read().decode()
_, status, usage = os.wait4(process.pid, 0)
seconds = time.monotonic() - began
assert status == 0 and "195,000 of 195,000 bars of the tape (100 %)" in said, said
print(seconds, usage.ru_maxrss / 1024)
"""

DAY = "2026-01-05"
OPENING = 1_767_623_400_000
STARTS = (1_767_589_200_000, 1_767_675_599_999)
SYMBOLS = [first + second + third for first in "ABCDE" for second in "ABCDEFGHIJ" for third in "ABCDEFGHIJ"]
MINUTES = 390


def write_day(path: str) -> None:
    """A day of minute bars, fifty a frame."""
    with open(path, "w") as file:
        for minute in range(MINUTES):
            start = OPENING + minute * 60_000
            bars = []
            for number, symbol in enumerate(SYMBOLS):
                price = 100 + number % 50 + minute % 90 / 100
                bars.append(
                    f'{{"ev":"AM","sym":"{symbol}","v":{1000 + minute + number},"av":{1000 + minute},"op":100,'
                    f'"vw":{price + 0.0037:.4f},"o":{price:.2f},"c":{price + 0.01:.2f},"h":{price + 0.05:.2f},'
                    f'"l":{price - 0.05:.2f},"a":{price:.4f},"z":50,"s":{start},"e":{start + 60_000}}}')
            for place in range(0, len(bars), 50):
                file.write("[" + ",".join(bars[place:place + 50]) + "]\n")


@dataclass
class Round:
    """Seconds and peak MiB of `edgetick reconcile`, the plain program's seconds, and those with a server that is away."""

    seconds: float
    memory: float
    plain: float
    away: float
    own_time: float


_rounds: list[Round] = []


def _figures(context) -> list[Round]:
    """The figures of every round, measured once."""
    if _rounds:
        return _rounds
    place = os.path.join(context.directory, "reconcile")
    os.makedirs(place)
    capture, data = os.path.join(place, "day.ndjson"), os.path.join(place, "data")
    write_day(capture)
    file = os.path.join(data, "ticks.sqlite")
    with run.Background(
            run.EDGETICK, "simulate", "--port", "0", "--capture", capture, "--speed", "flat-out",
            "--aggregates") as feed:
        url = feed.line("listening on ")
        port = int(url.split(":")[2].split("/")[0])
        settings = {
            "MASSIVE_API_KEY": "bench", "MASSIVE_WEBSOCKET_URL": url, "SYMBOLS": ",".join(SYMBOLS), "FEED_EVENTS": "AM",
            "MASSIVE_REST_URL": f"http://127.0.0.1:{port}", "EDGETICK_DATA_DIR": data, "COLLECTOR_ID": "bench",
            "BACKFILL_REQUESTS_PER_MINUTE": "0", "BACKFILL_ENABLED": "false", "LOG_LEVEL": "error", "HTTP_PORT": "0"}
        with run.Background(run.EDGETICK, "run", "--env-file", os.devnull, env=settings):
            run.until(lambda: count(file) == len(SYMBOLS) * MINUTES, 60, "the day is not collected")
        names = ",".join(SYMBOLS)
        with run.Background(sys.executable, "-c", AWAY, str(port), *map(str, STARTS), names) as server:
            away = server.line("listening on ")
            for _ in range(context.rounds):
                seconds, memory = _reconcile(settings)
                plain = float(run.output(sys.executable, "-c", PLAIN, str(port), file, *map(str, STARTS)))
                slow, _ = _reconcile(settings | {"MASSIVE_REST_URL": f"http://127.0.0.1:{away}"})
                own_time = float(run.output(sys.executable, "-c", OWN_TIME, away, names))
                _rounds.append(Round(seconds, memory, plain, slow, own_time))
    shutil.rmtree(place)
    return _rounds


def _reconcile(settings: dict[str, str]) -> tuple[float, float]:
    done = run.output(
        sys.executable, "-c", PEAK, run.EDGETICK, "reconcile", "--env-file", os.devnull, "--date", DAY, env=settings)
    seconds, memory = done.split()
    return float(seconds), float(memory)


def count(file: str) -> int:
    if not os.path.exists(file):
        return 0
    with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as database:
        try:
            return database.execute("select count(*) from bars").fetchone()[0]
        except sqlite3.OperationalError:
            return 0  # it is being made


def reconcile(context) -> Result:
    """500 symbols × 390 minutes against the simulator; the limit asks and compares too, in Python."""
    bars = len(SYMBOLS) * MINUTES
    figures = _figures(context)
    return Result(
        unit="bars/s", figures=[bars / round.seconds for round in figures],
        limits=[bars / round.plain for round in figures], limit_name="the same in Python", target=1 / 1.2)


def reconcile_away(context) -> Result:
    """The same with a server that takes 20 ms for an answer; the limit asks as much and does nothing with it."""
    bars = len(SYMBOLS) * MINUTES
    figures = _figures(context)
    return Result(
        unit="bars/s", figures=[bars / round.away for round in figures],
        limits=[bars / round.own_time for round in figures], limit_name="the server's own time, 20 ms each",
        target=1 / 1.2)


def reconcile_memory(context) -> Result:
    return Result(
        unit="MiB", figures=[round.memory for round in _figures(context)], most=60,
        note="peak, 500 symbols x 390 minutes")
