"""What a row costs, against how many rows are buffered already: append, upload, and the dashboard's questions.

usage: python3 -m bench.size [--sizes 1e5,1e6,1e7] [--drain] [--out Benchmarks/results/size]     or `make size SIZES=…`

Fills one buffer file to each size in turn. There it appends 200,000 rows more in transactions of 500, starts a collector
and asks its API, and uploads the first rows of the backlog (a million at most, or as far as a minute goes) into an empty
table. Writes OUT.json and OUT.svg. With --drain it then uploads the largest backlog to its end, and compares the rate in
each tenth of it.
"""

import argparse
import http.client
import json
import os
import shutil
import signal
import sqlite3
import statistics
import sys
import tempfile
import time

from . import machine, plot, run
from .postgres import Server
from .row_operation import free_port

APPENDED = 200_000
# Not /api/bars: it ends where rows were received before the span asked for, and these rows, years of bars, are all
# received in minutes; it would read them all, as it never does of a feed's.
QUESTIONS = {
    "status": "/api/status",
    "metrics": "/metrics",
    "recent": "/api/ticks/recent?symbol=SPY&limit=100",
}


class Buffer:
    """The file that grows from size to size."""

    def __init__(self, place: str) -> None:
        self.data = os.path.join(place, "data")
        self.rows = 0

    def append(self, rows: int, each: int) -> float:
        """Appends; rows a second."""
        rate = float(run.output(run.SUBJECT, "append", self.data, str(rows), str(each), str(self.rows)))
        self.rows += rows
        return rate

    def forget_uploads(self) -> None:
        """Puts the file back to where nothing of it was ever uploaded."""
        database = sqlite3.connect(os.path.join(self.data, "ticks.sqlite"))
        with database:
            database.execute("update streams set acknowledged = 0")
        database.close()

    def bytes(self) -> int:
        return os.path.getsize(os.path.join(self.data, "ticks.sqlite"))

    def settings(self, **more: str) -> dict[str, str]:
        return {
            "EDGETICK_DATA_DIR": self.data, "COLLECTOR_ID": "bench", "LOG_LEVEL": "error",
            "BUFFER_MAX_BYTES": "64GiB", **more,
        }


def ask(buffer: Buffer) -> dict[str, float]:
    """Seconds until a collector on this file is ready, and each question's p50 and p99 in ms; the feed is away."""
    port = free_port()
    figures: dict[str, float] = {}
    settings = buffer.settings(
        MASSIVE_API_KEY="bench", MASSIVE_WEBSOCKET_URL="ws://127.0.0.1:9/stocks", SYMBOLS="SPY", HTTP_PORT=str(port))
    began = time.monotonic()
    with run.Background(run.EDGETICK, "run", "--env-file", os.devnull, env=settings):
        def get(path: str) -> float:
            start = time.perf_counter()
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read()
            connection.close()
            if answer.status != 200:
                raise RuntimeError(f"{path}: {answer.status} {body[:200]!r}")
            return (time.perf_counter() - start) * 1e3

        while True:
            try:
                get("/health/live")
                break
            except OSError:
                if time.monotonic() - began > 120:
                    raise
                time.sleep(0.005)
        figures["start_s"] = time.monotonic() - began
        for name, path in QUESTIONS.items():
            times = sorted(get(path) for _ in range(60))
            figures[f"{name}_p50_ms"] = times[30]
            figures[f"{name}_p99_ms"] = times[59]
    return figures


def upload(buffer: Buffer, server: Server, most: int, seconds: float) -> float:
    """Rows a second that `edgetick sync` brings up, from its first batch on, by the ledger."""
    run.output(*server.psql("truncate ohlcv_1min", "truncate edgetick_uploads", "checkpoint"))
    buffer.forget_uploads()

    def position() -> int:
        return int(run.output(*server.psql("select coalesce(max(last_sequence), 0) from edgetick_uploads"), "-At"))

    settings = buffer.settings(DATABASE_URI=server.uri())
    first: tuple[float, int] | None = None
    last = (0.0, 0)
    with run.Background(run.EDGETICK, "sync", "--env-file", os.devnull, env=settings) as sync:
        end = time.monotonic() + seconds
        while time.monotonic() < end and sync.process.poll() is None:
            now = (time.monotonic(), position())
            if now[1] > last[1]:
                last = now
                first = first or now
            if now[1] >= most:
                break
            time.sleep(0.03)
        sync.process.send_signal(signal.SIGINT)
        sync.process.wait(60)
    if first is None or last[1] <= first[1]:
        raise RuntimeError("nothing was uploaded")
    return (last[1] - first[1]) / (last[0] - first[0])


def drain(buffer: Buffer, server: Server) -> tuple[list[float], float]:
    """Rows a second in each tenth of the whole backlog, and the memory that was resident at most, in bytes."""
    run.output(*server.psql("truncate ohlcv_1min", "truncate edgetick_uploads", "checkpoint"))
    buffer.forget_uploads()
    marks: list[tuple[float, int]] = []
    memory = 0.0
    with run.Background(run.EDGETICK, "sync", "--env-file", os.devnull, env=buffer.settings(DATABASE_URI=server.uri())) as sync:
        isRunning = True
        while isRunning:
            isRunning = sync.process.poll() is None
            text = run.output(*server.psql("select coalesce(max(last_sequence), 0) from edgetick_uploads"), "-At")
            marks.append((time.monotonic(), int(text)))
            if isRunning:
                memory = max(memory, sync.memory())
                time.sleep(0.03 if buffer.rows < 5_000_000 else 0.25)
    if sync.process.returncode != 0 or marks[-1][1] < buffer.rows:
        raise RuntimeError(f"the upload ended with {sync.process.returncode} at row {marks[-1][1]} of {buffer.rows}")
    stored = int(run.output(*server.psql("select count(*) from ohlcv_1min"), "-At"))
    if stored != buffer.rows:
        raise RuntimeError(f"{stored} rows are upstream, {buffer.rows} were buffered")
    rates = []
    for tenth in range(10):
        part = [mark for mark in marks if tenth * buffer.rows <= mark[1] * 10 <= (tenth + 1) * buffer.rows]
        (began, first), (ended, last) = part[0], part[-1]
        if ended > began:
            rates.append((last - first) / (ended - began))
    return rates, memory


def measure(buffer: Buffer, size: int, rounds: int, server: Server) -> dict[str, float]:
    while buffer.rows < size:
        buffer.append(min(5_000_000, size - buffer.rows), 20_000)
    point: dict[str, float] = {"rows": buffer.rows, "file_bytes": buffer.bytes()}
    point |= ask(buffer)
    point["sync_rows_s"] = statistics.median(
        upload(buffer, server, min(size, 1_000_000) - 20_000, 60) for _ in range(rounds))
    point["append_rows_s"] = statistics.median(buffer.append(APPENDED // rounds, 500) for _ in range(rounds))
    point["load"] = machine.load()
    return point


def draw(points: list[dict[str, float]], path: str, command: str) -> None:
    sizes = [point["rows"] for point in points]
    plot.write(path, f"Cost against buffered rows — {command}", sizes, [
        plot.Panel("append, µs a row", {"append": [1e6 / point["append_rows_s"] for point in points]}),
        plot.Panel("upload, µs a row", {"upload": [1e6 / point["sync_rows_s"] for point in points]}),
        plot.Panel("API, ms (p50)", {name: [point[f"{name}_p50_ms"] for point in points] for name in QUESTIONS}),
    ])


def main() -> None:
    parser = argparse.ArgumentParser(prog="make size", description=__doc__)
    parser.add_argument("--sizes", default="1e5,1e6,1e7", help="rows buffered, separated by commas")
    parser.add_argument("--rounds", type=int, default=3, help="of each measurement; medians count (default 3)")
    parser.add_argument("--drain", action="store_true", help="then upload the largest backlog to its end")
    parser.add_argument("--out", default=os.path.join(run.ROOT, "Benchmarks/results/size"), help="path without ending")
    options = parser.parse_args()
    command = f"make size SIZES={options.sizes}"
    place = tempfile.mkdtemp(prefix="edgetick-size-", dir=os.environ.get("TMPDIR", "/tmp"))
    points: list[dict[str, float]] = []
    print(machine.description(), flush=True)
    try:
        with Server() as server:
            buffer = Buffer(place)
            for size in (int(float(text)) for text in options.sizes.split(",")):
                if not points:
                    buffer.append(min(size, 1000), 1000)
                    run.output(
                        run.EDGETICK, "migrate", "--env-file", os.devnull, env=buffer.settings(DATABASE_URI=server.uri()))
                points.append(measure(buffer, size, options.rounds, server))
                print("  ".join(f"{name} {value:,.1f}" for name, value in points[-1].items()), flush=True)
                os.makedirs(os.path.dirname(options.out), exist_ok=True)
                with open(options.out + ".json", "w") as file:
                    json.dump({"command": command, "machine": machine.description(), "points": points}, file, indent=1)
                draw(points, options.out + ".svg", command)
            if options.drain:
                rates, memory = drain(buffer, server)
                print(
                    "drained, krows/s by tenth: " + " ".join(f"{rate / 1e3:.0f}" for rate in rates)
                    + f"; at most {memory / 2**20:.0f} MiB resident", flush=True)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    sys.exit(0)


if __name__ == "__main__":
    main()
