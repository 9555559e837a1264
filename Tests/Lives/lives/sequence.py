"""What happens in a round, made from its seed alone, so that a round can be repeated."""

import random
from dataclasses import dataclass, field, replace

from .market import Market, symbols

# Every kind of action, with how often it is chosen against the others, and what the tables call it.
KINDS = {
    "kill": (12, "kill"),
    "stop": (9, "clean stop"),
    "backup": (10, "back up"),
    "restore-file": (30, "restore the file"),
    "clone": (8, "clone"),
    "snapshot": (8, "copy the database"),
    "restore-database": (12, "restore the database"),
    "truncate": (4, "empty a table"),
    "pause": (8, "pause"),
    "clock": (8, "step the clock"),
    "cut": (9, "cut the feed"),
    "lag": (6, "feed lags"),
    "throw": (8, "feed throws its queue away"),
    "away": (10, "database away"),
    "refuse": (6, "refuse rows"),
    "unlock": (6, "remove the lock"),
    "damage": (8, "pages go bad"),
    "fill": (25, "fill the disk"),
    "heal": (8, "what is away returns"),
    "night": (24, "let time pass"),
}
MOST_BOXES = 3
HOUR, DAY = 3_600_000, 86_400_000


@dataclass(frozen=True)
class Step:
    """One action, after a wait, on a box."""

    wait: float
    kind: str
    box: int
    how: dict[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        details = " ".join(f"{name}={value}" for name, value in self.how.items())
        return f"{self.wait:.2f} s, box {self.box}: {self.kind} {details}".rstrip()


@dataclass(frozen=True)
class Sequence:
    """A whole round."""

    seed: int
    market: Market
    settings: dict[str, str]
    on_small_disk: bool
    steps: tuple[Step, ...]
    # Whether running collectors fill gaps by themselves, and whether the REST API has trades and quotes.
    fills: bool
    has_ticks: bool


def make(seed: int, without: frozenset[str] = frozenset()) -> Sequence:
    """The round of a seed; `without` are kinds that this machine can't do."""
    draw = random.Random(seed)
    market = Market(
        trade_step=draw.choice((5, 10, 20, 40)), quote_step=draw.choice((20, 50, 100)),
        correction_step=draw.choice((250, 400, 1000)),
    )
    settings = {
        "SYNC_BATCH_ROWS": str(draw.choice((20, 100, 500, 20_000))), "SYNC_INTERVAL": draw.choice(("0.2", "0.5", "1")),
        "BUFFER_COMMIT_INTERVAL_MS": draw.choice(("5", "50", "200")),
    }
    # Drawn apart: a round in which no collector fills gaps is what it was before any did.
    other = random.Random(f"gaps of {seed}")
    fills, has_ticks = other.random() < 0.5, other.random() < 0.5
    if fills:
        # A night has so many more events, and all of them are fetched.
        market = replace(market, trade_step=max(20, market.trade_step), quote_step=max(50, market.quote_step))
        settings["BACKFILL_ENABLED"] = "true"
    maker = _Maker(draw, without if fills else without | {"night"})
    steps = tuple(maker.step() for _ in range(draw.randint(4, 8)))
    return Sequence(seed, market, settings, maker.on_small_disk, steps, fills, fills or has_ticks)


class _Maker:
    """Draws steps, and knows what earlier ones made possible."""

    def __init__(self, draw: random.Random, without: frozenset[str]) -> None:
        self.draw, self.boxes, self.snapshots = draw, 1, 0
        self.backups: set[int] = set()
        self.away: list[str] = []
        self.feed_away_for = 0
        self.on_small_disk = "fill" not in without and draw.random() < 0.35
        self.weights = {kind: weight for kind, (weight, _) in KINDS.items() if kind not in without}
        if not self.on_small_disk:
            self.weights.pop("fill", None)

    def step(self) -> Step:
        draw = self.draw
        possible = {kind: weight for kind, weight in self.weights.items() if self._is_possible(kind)}
        # A feed that is away for long makes the collector's tries rare, and the round long.
        kind = "heal" if self.feed_away_for >= 2 else draw.choices(list(possible), list(possible.values()))[0]
        self.feed_away_for = self.feed_away_for + 1 if "feed" in self.away else 0
        box = 0 if kind == "fill" else draw.randrange(self.boxes)
        if kind == "restore-file":
            box = draw.choice(sorted(self.backups))
        how = getattr(self, "_" + kind.replace("-", "_"))(box)
        return Step(round(draw.uniform(0.05, 1.0), 2), kind, box, how)

    def _is_possible(self, kind: str) -> bool:
        return {
            "restore-file": bool(self.backups), "restore-database": True, "clone": self.boxes < MOST_BOXES,
            "heal": bool(self.away), "cut": "feed" not in self.away, "away": "database" not in self.away,
            "refuse": "refused" not in self.away,
        }.get(kind, True)

    def _seconds(self, low: float, high: float) -> float:
        return round(self.draw.uniform(low, high), 2)

    def _kill(self, _: int) -> dict:
        return {
            "down": self.draw.choice((0.0, self._seconds(0.1, 2.0))),
            # And again while it starts.
            "again": [self._seconds(0.01, 0.6) for _ in range(self.draw.choice((0, 0, 0, 1, 2)))],
        }

    def _stop(self, _: int) -> dict:
        return {"down": self._seconds(0.0, 1.5), "sync": self.draw.random() < 0.3}

    def _backup(self, box: int) -> dict:
        self.backups.add(box)
        return {"by": self.draw.choice(("online", "online", "cold", "hot"))}

    def _restore_file(self, _: int) -> dict:
        return {"down": self._seconds(0.0, 1.0), "killed": self.draw.random() < 0.8}

    def _clone(self, _: int) -> dict:
        self.boxes += 1
        return {
            "by": self.draw.choice(("cold", "hot", "online")), "same-name": self.draw.random() < 0.5,
            "waiting": self.draw.random() < 0.6,
        }

    def _snapshot(self, _: int) -> dict:
        self.snapshots += 1
        return {}

    def _restore_database(self, _: int) -> dict:
        if self.snapshots == 0 or self.draw.random() < 0.2:
            return {"to": "empty", "killed": self.draw.random() < 0.4}
        return {"to": self.draw.randrange(self.snapshots), "killed": self.draw.random() < 0.4}

    def _truncate(self, _: int) -> dict:
        # At once, under rows that go up; or when everything is upstream, so that nothing but a word of the collector
        # can tell that rows which it holds for uploaded are gone.
        return {"table": self.draw.choice(("trades", "quotes")), "at-the-end": self.draw.random() < 0.6}

    def _pause(self, _: int) -> dict:
        return {"seconds": self._seconds(0.3, 3.0), "feed": self.draw.choice(("waits", "gives up", "gives up", "resets"))}

    def _clock(self, _: int) -> dict:
        offset = self.draw.choice((5_000, 90_000, HOUR, 26 * HOUR, 400 * DAY)) * self.draw.choice((-1, 1))
        return {"by": offset, "stopped": self.draw.random() < 0.4, "for": self.draw.choice((0.0, self._seconds(0.5, 2.5)))}

    def _cut(self, _: int) -> dict:
        stays = self.draw.random() < 0.35
        if stays:
            self.away.append("feed")
            self.feed_away_for = 1
        return {"seconds": self._seconds(0.0, 1.2), "reset": self.draw.random() < 0.5, "stays": stays}

    def _lag(self, _: int) -> dict:
        return {"seconds": self.draw.choice((0.0, self._seconds(0.3, 1.0), self._seconds(1.0, 4.0)))}

    def _throw(self, _: int) -> dict:
        return {"held": self._seconds(0.3, 2.0), "reset": self.draw.random() < 0.5}

    def _away(self, _: int) -> dict:
        stays = self.draw.random() < 0.5
        if stays:
            self.away.append("database")
        return {"seconds": self._seconds(0.2, 2.0), "swallow": self._seconds(0.0, 0.6), "stays": stays}

    def _refuse(self, box: int) -> dict:
        self.away.append("refused")
        return {
            "table": self.draw.choice(("trades", "trades", "quotes", "ohlcv_1sec")),
            "symbol": self.draw.choice((None, *symbols(box))), "state": self.draw.choice(("23514", "P0001", "XX000", "0A000")),
        }

    def _unlock(self, _: int) -> dict:
        return {"seconds": self._seconds(1.5, 2.5)}

    def _damage(self, _: int) -> dict:
        running = self.draw.random() < 0.4
        return {
            "place": round(self.draw.random(), 3), "pages": self.draw.choice((1, 1, 2, 8)), "running": running,
            # A person's command may be the first to come upon it.
            "sync": not running and self.draw.random() < 0.4, "down": self._seconds(0.0, 1.0),
        }

    def _fill(self, _: int) -> dict:
        return {"seconds": self._seconds(0.5, 2.5), "killed": self.draw.random() < 0.2}

    def _night(self, _: int) -> dict:
        return {"killed": self.draw.random() < 0.7}

    def _heal(self, _: int) -> dict:
        what = "feed" if self.feed_away_for > 2 else self.draw.choice(self.away)
        self.away.remove(what)
        if what == "feed":
            self.feed_away_for = 0
        return {"what": what}
