"""Bars into the durable file, against prepared inserts from C."""

import os
import shutil
import statistics

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
    return delays(context, 0)


def latency_backlog(context) -> Result:
    """The same beside a backlog of a million rows that is read and acknowledged as fast as it goes."""
    return delays(context, 1_000_000, "draining")


def delays(context, backlog: int, *more: str) -> Result:
    p99: list[float] = []
    syncs: list[float] = []
    for number in range(context.rounds):
        place = os.path.join(context.directory, f"latency-{number}")
        if backlog:
            run.output(run.SUBJECT, "append", place, str(backlog), "20000")
        p99.append(float(run.output(run.SUBJECT, "latency", place, "10000", "5", *more).split()[1]))
        syncs.append(float(run.output(f"{run.LIMITS}/sync", os.path.join(context.directory, "sync"), "200")))
        shutil.rmtree(place)
    sync = statistics.median(syncs)
    return Result(
        unit="ms p99", figures=p99, most=50 + sync, note=f"50 ms + an fsync of {sync:.1f} ms (p99); seen 0.1 ms late")
