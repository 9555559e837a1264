"""Hours in small: the simulated market at real rates into a collector and a database, and whether anything grows.

usage: python3 -m bench.soak [--minutes M] [--faults] [--json FILE]     or `make soak MINUTES=… FAULTS=1`

Half the time at the market's rate (3,000 symbols, 3,000 trades a second, second and minute bars), half at ten times the
trades. Uploaded rows stay for half a minute, so a growing file shows within minutes. With --faults something happens
every minute that costs no event: the database crashes and returns, its sessions are ended, a table is locked, the collector is
frozen for three seconds. Samples taken meanwhile, and until the queue is short again, count for memory and file alone.
Ends with status 1 when something grew, or when sent, buffered and uploaded counts differ.
"""

import argparse
import json
import os
import random
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

from . import machine, run
from .postgres import Server
from .row_footprint import SYMBOLS
from .row_operation import free_port

COLUMNS = ("rss_mib", "file_mib", "wal_mib", "pending", "durable_p50_ms", "durable_p99_ms", "rate", "cpu_percent")
# What must not grow, and how much of growth over the whole time is still no growth: a share, and an amount.
FLAT = {
    "rss_mib": (0.05, 3.0), "file_mib": (0.10, 8.0), "wal_mib": (0.25, 8.0), "pending": (0.5, 20_000),
    "durable_p50_ms": (0.5, 25.0), "durable_p99_ms": (0.5, 250.0),
}
# What a fault moves for a while: judged by the samples between faults.
MOVED = {"pending", "durable_p50_ms", "durable_p99_ms"}


class FaultMaker(threading.Thread):
    """Makes something happen every minute, each kind as often as the others, in an order that the rate seeds."""

    def __init__(self, factor: int, server: Server, box: run.Background) -> None:
        super().__init__(daemon=True)
        self.random, self.server, self.box = random.Random(factor), server, box
        self.ended, self.count = threading.Event(), {kind.__name__: 0 for kind in self.kinds()}
        self.last, self.error = 0.0, ""

    def kinds(self) -> list:
        return [self.crash, self.sessions_ended, self.table_locked, self.frozen]

    def crash(self) -> None:
        self.server.crash()
        self.ended.wait(20)
        self.server.start()

    def sessions_ended(self) -> None:
        run.output(*self.server.psql(
            "select pg_terminate_backend(pid) from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()"))

    def table_locked(self) -> None:
        run.output(*self.server.psql("begin; lock table trades in access exclusive mode; select pg_sleep(15); commit"))

    def frozen(self) -> None:
        self.box.process.send_signal(signal.SIGSTOP)
        self.ended.wait(3)
        self.box.process.send_signal(signal.SIGCONT)

    def run(self) -> None:
        order: list = []
        while not self.ended.wait(45):
            if not order:
                order = self.kinds()
                self.random.shuffle(order)
            kind = order.pop()
            self.last = float("inf")
            try:
                kind()
                self.count[kind.__name__] += 1
            except (RuntimeError, OSError, subprocess.SubprocessError) as error:
                self.error = f"{kind.__name__}: {error}"
                return
            finally:
                self.last = time.monotonic()

    @property
    def is_near(self) -> bool:
        """Whether a fault is under way or was less than 15 seconds ago."""
        return time.monotonic() - self.last < 15

    def end(self) -> None:
        self.ended.set()
        self.join()


class Sampler:
    """Reads a running collector from outside: its metrics, its process, its file."""

    def __init__(self, box: run.Background, port: int, place: str) -> None:
        self.box, self.port, self.path = box, port, os.path.join(place, "ticks.sqlite")
        self.last: tuple[float, float, float] | None = None

    def metrics(self) -> dict[str, float]:
        """The samples of /metrics, those of one name added up."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=20) as answer:
            lines = answer.read().decode().splitlines()
        sums: dict[str, float] = {}
        for line in lines:
            if not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                name = name.split("{")[0]
                sums[name] = sums.get(name, 0.0) + float(value)
        return sums

    def delays(self, seconds: float) -> list[float]:
        """How old the newest durable trade is, in ms, again and again."""
        ages: list[float] = []
        database = sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)
        try:
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                row = database.execute("select received_us from trades order by seq desc limit 1").fetchone()
                if row:
                    ages.append(time.time() * 1e3 - row[0] / 1e3)
                time.sleep(0.007)
        finally:
            database.close()
        return ages

    def sample(self, seconds: float) -> dict[str, float]:
        """One line of the table; takes so long."""
        start = time.monotonic()
        ages = sorted(self.delays(min(seconds, 2)))
        time.sleep(max(0.0, seconds - (time.monotonic() - start)))
        metrics = self.metrics()
        now = (time.monotonic(), metrics["edgetick_buffer_appended_rows_total"], self.box.cpu())
        before = self.last or (now[0] - 1, now[1], now[2])
        self.last = now
        elapsed = now[0] - before[0]
        return {
            "rss_mib": self.box.memory() / 2**20,
            "file_mib": metrics["edgetick_buffer_file_bytes"] / 2**20,
            "wal_mib": metrics["edgetick_buffer_wal_bytes"] / 2**20,
            "pending": metrics["edgetick_buffer_pending_rows"],
            "durable_p50_ms": ages[len(ages) // 2] if ages else float("nan"),
            "durable_p99_ms": ages[len(ages) * 99 // 100] if ages else float("nan"),
            "rate": (now[1] - before[1]) / elapsed,
            "cpu_percent": (now[2] - before[2]) / elapsed * 100,
        }


def growth(values: list[float]) -> tuple[float, float]:
    """What a straight line through the values gains from first to last, and their median."""
    count = len(values)
    middle = (count - 1) / 2
    mean = statistics.fmean(values)
    slope = sum((index - middle) * (value - mean) for index, value in enumerate(values))
    slope /= sum((index - middle) ** 2 for index in range(count))
    return slope * (count - 1), statistics.median(values)


def verdicts(samples: list[dict[str, float]]) -> list[tuple[str, float, float, bool]]:
    """Of each figure that must be flat: its growth, its median, and whether it is flat. The first third warms up."""
    settled = samples[len(samples) // 3:]
    quiet = [sample for sample in settled if not sample["disturbed"]]
    result = []
    for name, (share, amount) in FLAT.items():
        gained, level = growth([sample[name] for sample in (quiet if name in MOVED else settled)])
        result.append((name, gained, level, gained <= max(share * level, amount)))
    return result


def counts(server: Server, database: str) -> dict[str, int]:
    """What was made durable, and what is upstream, by stream; bars without the versions that a newer one replaced."""
    local = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    marks = dict(local.execute("select stream, max(acknowledged, deleted_through) from streams").fetchall())
    local.close()
    def number(sql: str) -> int:
        return int(run.output(*server.psql(sql), "-At") or 0)
    return {
        "acknowledged": sum(marks.values()),
        "ledger": number("select coalesce(sum(last_sequence), 0)::bigint from edgetick_uploads"),
        "trades buffered": marks.get("trades", 0),
        "trades upstream": number("select count(*) from trades"),
    }


def wait_for(what: str, holds, limit: float) -> None:
    end = time.monotonic() + limit
    while not holds():
        if time.monotonic() > end:
            raise RuntimeError(f"waited {limit:.0f} s for {what}")
        time.sleep(0.2)


def phase(factor: int, seconds: float, place: str, faults: bool = False) -> tuple[bool, dict]:
    """Runs one rate for so long; whether all was flat and nothing lost, and the figures."""
    port, data = free_port(), os.path.join(place, f"x{factor}")
    samples: list[dict[str, float]] = []
    with Server() as server:
        settings = {
            "MASSIVE_API_KEY": "soak", "SYMBOLS": ",".join(SYMBOLS), "FEED_EVENTS": "AM,A,T", "EDGETICK_DATA_DIR": data,
            "COLLECTOR_ID": "soak", "LOG_LEVEL": "error", "HTTP_PORT": str(port), "DATABASE_URI": server.uri(),
            "SYNC_INTERVAL": "2", "BUFFER_RETENTION_HOURS": "30s",
        }
        run.output(run.EDGETICK, "migrate", "--env-file", os.devnull, env=settings)
        feed = run.Background(
            run.EDGETICK, "simulate", "--port", "0", "--synthetic", ",".join(SYMBOLS), "--rate", str(factor))
        with feed:
            settings["MASSIVE_WEBSOCKET_URL"] = feed.line("listening on ")
            with run.Background(run.EDGETICK, "run", "--env-file", os.devnull, env=settings) as box:
                sampler = Sampler(box, port, data)
                path = sampler.path
                wait_for("the first trades", lambda: os.path.exists(path) and _has_trades(path), 60)
                step = max(3.0, seconds / 60)
                print(f"\nx{factor}: a line every {step:.0f} s\n" + "  ".join(name.rjust(14) for name in COLUMNS), flush=True)
                maker = FaultMaker(factor, server, box)
                if faults:
                    maker.start()
                end = time.monotonic() + seconds
                while time.monotonic() < end:
                    disturbed = maker.is_near
                    sample = sampler.sample(step)
                    disturbed = disturbed or maker.is_near or sample["pending"] > 10 * sample["rate"]
                    samples.append(sample | {"disturbed": disturbed})
                    print("  ".join(f"{sample[name]:14.1f}" for name in COLUMNS) + ("  *" if disturbed else ""), flush=True)
                if faults:
                    maker.end()
                    print(f"x{factor} faults: " + ", ".join(f"{count} {name}" for name, count in maker.count.items()), flush=True)
                    if maker.error:
                        raise RuntimeError(f"a fault could not be made: {maker.error}")
                feed.process.send_signal(signal.SIGTERM)
                assert feed.process.stdout
                line = next(line for line in feed.process.stdout if line.startswith("sent "))
                sent = int(line.split()[1])
                wait_for(
                    f"all {sent} events to be durable and upstream",
                    lambda: (m := sampler.metrics())["edgetick_buffer_appended_rows_total"] >= sent
                    and m["edgetick_buffer_pending_rows"] == 0, 120)
                metrics = sampler.metrics()
        found = counts(server, path)
    found |= {
        "sent": sent, "durable": int(metrics["edgetick_buffer_appended_rows_total"]),
        "dropped": int(metrics["edgetick_buffer_dropped_events_total"] + metrics["edgetick_feed_overflow_events_total"]),
        "dead letters": int(metrics["edgetick_buffer_dead_letters"]),
    }
    good = True
    gained, level = growth([sample["rate"] for sample in samples[len(samples) // 3:]])
    steady = abs(gained) <= 0.1 * level
    print(f"\nx{factor} rate: {level:.0f} events/s, {gained:+.0f} over the time" + (
        "" if steady else ": the machine had no time for a steady feed, so what follows that rate can't be flat"))
    for name, gained, level, flat in verdicts(samples):
        good = good and flat
        print(f"x{factor} {name}: {level:.1f}, gains {gained:+.1f} over the time: {'flat' if flat else 'NOT FLAT'}")
    whole = (
        found["sent"] == found["durable"] == found["acknowledged"] == found["ledger"]
        and found["trades buffered"] == found["trades upstream"] and found["dropped"] == found["dead letters"] == 0)
    print(f"x{factor} " + ", ".join(f"{name} {count}" for name, count in found.items())
          + (": nothing lost, nothing doubled" if whole else ": COUNTS DIFFER"), flush=True)
    return good and whole, {"factor": factor, "steady": steady, "samples": samples, "counts": found}


def _has_trades(path: str) -> bool:
    try:
        database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            return database.execute("select 1 from trades limit 1").fetchone() is not None
        finally:
            database.close()
    except sqlite3.OperationalError:
        return False


def main() -> None:
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="for both rates together (default 10)")
    parser.add_argument("--faults", action="store_true", help="make something happen every minute")
    parser.add_argument("--json", help="also write every sample into this file")
    options = parser.parse_args()
    place = tempfile.mkdtemp(prefix="edgetick-soak-", dir=os.environ.get("TMPDIR", "/tmp"))
    print(machine.description(), flush=True)
    try:
        phases = [phase(factor, options.minutes * 30, place, options.faults) for factor in (1, 10)]
    finally:
        shutil.rmtree(place, ignore_errors=True)
    if options.json:
        with open(options.json, "w") as file:
            json.dump({"machine": machine.description(), "phases": [figures for _, figures in phases]}, file, indent=1)
    sys.exit(0 if all(good for good, _ in phases) else 1)


if __name__ == "__main__":
    main()
