"""What a quiet collector costs: start, memory, processor, size."""

import os
import shutil
import subprocess
import time

from . import run
from .table import Result

SYMBOLS = [a + b + c for a in "ABCDEFGHIJKLMNOPQRST" for b in "ABCDEFGHIJKLMNO" for c in "ABCDEFGHIJ"]


def settings(place: str, url: str, symbols: list[str]) -> dict:
    return {
        "MASSIVE_API_KEY": "bench", "MASSIVE_WEBSOCKET_URL": url, "SYMBOLS": ",".join(symbols), "FEED_EVENTS": "AM",
        "EDGETICK_DATA_DIR": place, "COLLECTOR_ID": "bench", "LOG_LEVEL": "debug", "HTTP_PORT": "0",
    }


def start(context) -> Result:
    """From the start of the process until the connection is being opened, with 3,000 symbols in the mirror."""
    result = Result(unit="ms", figures=[], most=100, note="with 3,000 symbols, before the network")
    place = os.path.join(context.directory, "start")
    csv = os.path.join(context.directory, "big.csv")
    with open(csv, "w") as file:
        file.write("symbol\n" + "\n".join(SYMBOLS) + "\n")
    environment = settings(place, "ws://127.0.0.1:9/stocks", [])
    environment["SYMBOL_UNIVERSE_KEY"] = "big"
    run.output(run.EDGETICK, "universe", "import", csv, "--name", "big", "--env-file", os.devnull, env=environment)
    for _ in range(context.rounds):
        began = time.monotonic()
        process = subprocess.Popen(
            [run.EDGETICK, "run", "--env-file", os.devnull], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            env={**os.environ, **environment})
        assert process.stderr
        for line in process.stderr:
            if "collecting" in line:
                result.figures.append((time.monotonic() - began) * 1000)
                break
        process.terminate()
        process.communicate()
    shutil.rmtree(place)
    return result


def observe(context, rate: float, seconds: float) -> tuple[float, float]:
    """Resident MiB and the share of a core, of a collector with 3,000 symbols at so many trades a second and symbol."""
    place = os.path.join(context.directory, "footprint")
    with run.Background(
            run.EDGETICK, "simulate", "--port", "0", "--synthetic", ",".join(SYMBOLS), "--rate", str(rate), core=0) as feed:
        url = feed.line("listening on ")
        with run.Background(run.EDGETICK, "run", "--env-file", os.devnull, core=1, env=settings(place, url, SYMBOLS)) as box:
            time.sleep(3)
            before, began = box.cpu(), time.monotonic()
            time.sleep(seconds)
            share = (box.cpu() - before) / (time.monotonic() - began)
            memory = box.memory() / 2**20
    shutil.rmtree(place)
    return memory, share


def memory(context) -> Result:
    figures = [observe(context, 0.2, 75)[0] for _ in range(min(context.rounds, 3))]
    return Result(unit="MiB", figures=figures, most=40, note="resident after 75 s, 3,000 symbols, minute bars")


def cpu(context) -> Result:
    figures = [observe(context, 0.2, 65)[1] * 100 for _ in range(1)]
    return Result(unit="% of a core", figures=figures, most=0.5, note="3,000 minute bars a minute, over 65 s")


def binary(context) -> Result:
    stripped = os.path.join(context.directory, "edgetick")
    run.output("strip", "-o", stripped, run.EDGETICK)
    return Result(
        unit="MB", figures=[os.path.getsize(stripped) / 1e6], most=60, note="stripped, Swift's runtime linked in")
