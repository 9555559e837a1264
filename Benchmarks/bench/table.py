"""One line a row: what was measured, the limit of the same run, the ratio and whether it is enough."""

from dataclasses import dataclass, field
from statistics import median

from . import machine


@dataclass
class Result:
    """A row's figures, one a round; `target` is what the ratio must reach, `least` and `most` bound the figure."""

    unit: str
    figures: list[float]
    limits: list[float] = field(default_factory=list)
    limit_name: str = ""
    target: float | None = None
    least: float | None = None
    most: float | None = None
    note: str = ""

    @property
    def figure(self) -> float:
        return median(self.figures)

    @property
    def spread(self) -> float:
        return (max(self.figures) - min(self.figures)) / self.figure if self.figure else 0.0

    @property
    def limit(self) -> float | None:
        return median(self.limits) if self.limits else None

    @property
    def ratio(self) -> float | None:
        return self.figure / self.limit if self.limit else None

    @property
    def verdict(self) -> str:
        if self.target is not None:
            return "reached" if self.ratio is not None and self.ratio >= self.target else "MISSED"
        if self.least is not None:
            return "reached" if self.figure >= self.least else "MISSED"
        if self.most is not None:
            return "reached" if self.figure <= self.most else "MISSED"
        return ""


def amount(value: float) -> str:
    for size, suffix in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{suffix}"
    return f"{value:.3g} "


class Table:
    WIDTHS = (22, 18, 7, 34, 7, 9, 8, 5)

    def __init__(self) -> None:
        self.figures: list[dict] = []
        self.missed: list[str] = []
        self.unmeasured: list[str] = []

    @property
    def faults(self) -> list[str]:
        """What is wrong with the table, a line each; empty when every row was measured and reached its target."""
        lines = (("missed", self.missed), ("not measured", self.unmeasured))
        return [f"{what}: {', '.join(names)}" for what, names in lines if names]

    def line(self, *cells: str) -> None:
        print("  ".join(cell.ljust(width) for cell, width in zip(cells, self.WIDTHS)).rstrip(), flush=True)

    def head(self) -> None:
        self.line("path", "figure", "spread", "limit of this run", "ratio", "target", "verdict", "load")

    def add(self, name: str, result: Result) -> None:
        target = f">= {result.target:g} x" if result.target is not None else ""
        if result.least is not None:
            target = f">= {amount(result.least).strip()}"
        if result.most is not None:
            target = f"<= {amount(result.most).strip()}"
        self.line(
            name, amount(result.figure) + result.unit, f"{result.spread:.0%}",
            f"{amount(result.limit)}{result.unit} {result.limit_name}" if result.limits else result.note,
            f"{result.ratio:.2f}" if result.ratio is not None else "", target, result.verdict, f"{machine.load():.1f}")
        if result.limits and result.note:
            self.line("", result.note)
        if result.verdict == "MISSED":
            self.missed.append(name)
        self.figures.append({
            "row": name, "unit": result.unit, "figures": result.figures, "limit": result.limit_name,
            "limits": result.limits, "ratio": result.ratio, "target": result.target,
            "least": result.least, "most": result.most,
            "verdict": result.verdict, "note": result.note, "load": machine.load(),
        })

    def not_measured(self, name: str, reason: str) -> None:
        self.line(name, "not measured: " + reason)
        self.unmeasured.append(name)
        self.figures.append({"row": name, "not_measured": reason})
