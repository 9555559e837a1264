"""What several connections cost: finding a symbol's connection, bringing their events together, telling how they are."""

from . import run
from .table import Result


def routing(context) -> Result:
    result = Result(unit="ns", figures=[], most=100, note="a look-up among 3,000 symbols on three connections")
    for _ in range(context.rounds):
        result.figures.append(float(run.output(run.SUBJECT, "routing", core=1)))
    return result


def aggregation(context) -> Result:
    result = Result(unit="ns", figures=[], note="an event, beyond the sink's own call; nothing comes twice")
    for _ in range(context.rounds):
        result.figures.append(float(run.output(run.SUBJECT, "aggregation", core=1)))
    return result


def redundant(context) -> Result:
    result = Result(unit="ns", figures=[], note="an event, when every symbol comes from two connections")
    for _ in range(context.rounds):
        result.figures.append(float(run.output(run.SUBJECT, "aggregation", "redundant", core=1)))
    return result


def snapshot(context) -> Result:
    result = Result(unit="µs", figures=[], note="the state of three connections with 3,000 symbols")
    for _ in range(context.rounds):
        result.figures.append(float(run.output(run.SUBJECT, "snapshot", core=1)))
    return result
