"""Frames of 100 bars into events, against simdjson filling the same columns."""

import os

from . import run
from .table import Result


def measure(context) -> Result:
    path = os.path.join(context.directory, "frames.ndjson")
    with open(path, "w") as file:
        file.write("\n".join(context.captures.frames(["AM", "A"], 100, 50_000)) + "\n")
    result = Result(unit="events/s", figures=[], limit_name="simdjson on demand", target=1.0)
    for _ in range(context.rounds):
        result.limits.append(float(run.output(f"{run.LIMITS}/decode", path, "1", core=1)))
        result.figures.append(float(run.output(run.SUBJECT, "decode", path, "1", core=1)))
    return result
