"""Lives: collectors, files and databases that are killed, copied, restored, frozen and cut off, in seeded random order.

usage: python3 -m lives [--rounds N] [--seed S] [--jobs J] [--results FILE]     or `make lives ROUNDS=…`

A round runs real processes for some seconds, settles, and compares every event that was due with the files and the database,
by event time. Results are appended to a file; without --seed a run goes on after the greatest seed in it, and --rounds 0
prints the sum. Ends with status 1 when any round in the file lost, doubled or changed a row, or was wrong in silence. A round
that failed leaves its directory; `--seed S --rounds 1` repeats it.
"""

import argparse
import asyncio
import concurrent.futures
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading

from . import disk, report, rounds, sequence
from .box import Tools
from .database import Server
from .process import Stopped, finish

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))


def main() -> int:
    parser = argparse.ArgumentParser(prog="lives", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, help="the first round's seed")
    parser.add_argument("--jobs", type=int, default=2, help="rounds at a time")
    parser.add_argument("--results", default=os.path.join(REPOSITORY, ".build/lives.jsonl"))
    parser.add_argument("--without", default="", help="kinds of actions to leave out, separated by commas")
    parser.add_argument("--keep", action="store_true", help="keep every round's directory")
    parser.add_argument("--show", action="store_true", help="print a seed's steps and run nothing")
    options = parser.parse_args()
    without = frozenset(filter(None, options.without.split(",")))
    if unknown := without - sequence.KINDS.keys():
        parser.error(f"unknown kinds: {', '.join(sorted(unknown))}; known: {', '.join(sequence.KINDS)}")
    if not disk.is_possible():
        print("lives: skipped without root: fill the disk", flush=True)
        without |= {"fill"}
    first = options.seed
    if first is None:
        first = max((result["seed"] for result in report.read(options.results)), default=0) + 1
    seeds = range(first, first + options.rounds)
    if options.show:
        for seed in seeds:
            print(f"seed {seed}", *sequence.make(seed, without).steps, sep="\n    ")
        return 0
    if seeds:
        run(seeds, options, without)
    results = report.read(options.results)
    print(report.summary(results))
    return 1 if any(map(report.failed, results)) or not results else 0


def run(seeds: range, options: argparse.Namespace, without: frozenset[str]) -> None:
    """Runs rounds side by side, and ends everything it started, also on Ctrl-C."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    place = tempfile.mkdtemp(prefix="edgetick-lives-")
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    server = Server()
    try:
        tools = Tools(os.environ.get("EDGETICK") or os.path.join(REPOSITORY, ".build/release/edgetick"), clock(place))
        if not tools.clock:
            without |= {"clock", "night"}
        server.start()
        workshop = rounds.Workshop(
            tools, server, template(tools, server, place), loop, place, version(tools), without, stop, options.keep)
        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            for waiting in concurrent.futures.as_completed([pool.submit(rounds.play, workshop, seed) for seed in seeds]):
                try:
                    result = waiting.result()
                except (Stopped, concurrent.futures.CancelledError):
                    continue
                report.append(options.results, result)
                tell(result, place)
    finally:
        stop.set()
        server.stop()
        loop.call_soon_threadsafe(loop.stop)
        kept = [name for name in os.listdir(place) if name.startswith("seed-")]
        if not kept:
            shutil.rmtree(place, ignore_errors=True)


def tell(result: dict, place: str) -> None:
    if report.failed(result):
        print(report.shown(result), f"    files: {place}/seed-{result['seed']}", sep="\n", flush=True)
    else:
        asked = "; a person was asked" if result["asked"] else ""
        print(f"seed {result['seed']}: {result['due']} events in {result['seconds']} s, all accounted for{asked}", flush=True)


def template(tools: Tools, server: Server, place: str) -> str:
    """A database with the tables, to be copied for each round."""
    server.psql("CREATE DATABASE lives_template")
    environment = {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": place, "DATABASE_URI": server.uri("lives_template"),
        "EDGETICK_DATA_DIR": os.path.join(place, "template"),
    }
    status, output = finish([tools.edgetick, "migrate"], environment, place, 60)
    if status != 0:
        raise SystemExit(f"lives: edgetick migrate ended with {status}:\n{output}")
    return "lives_template"


def clock(place: str) -> str | None:
    """The library that steps a program's clock, built from the tests' source."""
    source = os.path.join(REPOSITORY, "Tests/Support/ClockShim/clockshim.c")
    compiler = shutil.which("cc") or shutil.which("clang")
    library = os.path.join(place, "clockshim.so")
    if not compiler or not os.path.exists(source):
        print("lives: skipped without a C compiler: step the clock", flush=True)
        return None
    subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", library, source, "-ldl"], check=True)
    return library


def version(tools: Tools) -> str:
    """Which state of the source the rounds speak of."""
    done = subprocess.run(
        ["git", "-C", REPOSITORY, "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    return done.stdout.strip() or finish([tools.edgetick, "--version"], dict(os.environ), REPOSITORY, 20)[1].strip()


sys.exit(main())
