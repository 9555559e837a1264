"""Bars into the durable file, against prepared inserts from C."""

import os
import shutil

from . import run
from .table import Result

ROWS, EACH = 500_000, 500


def measure(context) -> Result:
    result = Result(unit="rows/s", figures=[], limit_name="C, same transactions", target=0.8)
    for number in range(context.rounds):
        place = os.path.join(context.directory, f"append-{number}")
        os.mkdir(place)
        result.limits.append(float(run.output(f"{run.LIMITS}/append", place + "/limit.db", str(ROWS), str(EACH))))
        result.figures.append(float(run.output(run.SUBJECT, "append", place + "/data", str(ROWS), str(EACH))))
        shutil.rmtree(place)
    return result


def latency(context) -> Result:
    """From offer to durable at 10,000 events a second; the target is the commit interval and a sync."""
    p99: list[float] = []
    text = ""
    for number in range(context.rounds):
        place = os.path.join(context.directory, f"latency-{number}")
        text = run.output(run.SUBJECT, "latency", place, "10000", "5")
        p99.append(float(text.split()[1]))
        shutil.rmtree(place)
    sync = float(run.output(f"{run.LIMITS}/sync", os.path.join(context.directory, "sync"), "200"))
    return Result(
        unit="ms p99", figures=p99, most=50 + sync,
        note=f"50 ms + an fsync of {sync:.1f} ms (p99); seen up to 1 ms late")
