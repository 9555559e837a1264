"""Universes for 5,000 stocks, 60 ETFs and 30 themes: the cache, the mirror's file, import and validation."""

import os

from . import run
from .table import Result

_rounds: list[dict[str, float]] = []


def _figures(context) -> list[dict[str, float]]:
    """All figures of every round; measured once, whichever row comes first."""
    while len(_rounds) < context.rounds:
        directory = os.path.join(context.directory, f"universe-{len(_rounds)}")
        lines = run.output(run.SUBJECT, "universe", directory, core=1).splitlines()
        _rounds.append({name: float(value) for name, value in (line.split() for line in lines)})
    return _rounds[:context.rounds]


def _row(name: str, unit: str, most: float | None, note: str):
    def measure(context) -> Result:
        return Result(unit=unit, figures=[figures[name] for figures in _figures(context)], most=most, note=note)
    return measure


def hit(context) -> Result:
    """A hit's p99 against 1 µs; a plain dictionary's look-up stands beside it."""
    rounds = _figures(context)
    lookup = sorted(figures["lookup"] for figures in rounds)[len(rounds) // 2]
    each = sorted(figures["hit"] for figures in rounds)[len(rounds) // 2]
    return Result(
        unit="ns", figures=[figures["hit-p99"] for figures in rounds], most=1000,
        note=f"p99; mean {each:.0f} ns, a dictionary {lookup:.0f} ns")


miss = _row("miss-p99", "us", 2000, "p99, join of three from the file")
join = _row("join-p99", "us", 2000, "p99, without the cache")
rebuild = _row("rebuild", "ms", 2000, "95 files into an empty mirror")
validate = _row("validate", "ms", 1000, "")
memory = _row("memory", "B", None, "resident after the warm-up")
