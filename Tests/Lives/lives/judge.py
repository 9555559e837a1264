"""Compares what had to arrive with what is there, by event time."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from .ledger import File, Gap, Name, Upstream
from .market import STREAMS, Event, Market, symbols

SHOWN = 6


@dataclass
class Verdict:
    """What is so at the end of a round."""

    due: int = 0
    upstream: int = 0
    # Events that are explained, by what explains them.
    explained: Counter[str] = field(default_factory=Counter)
    # Missing without an account of the files, apart by whether a collector said at the end that something is wrong.
    lost: int = 0
    told: int = 0
    doubled: int = 0
    wrong: int = 0
    silent: int = 0
    # Gaps that claim more than there was. They are shown, and fail no round.
    wild: int = 0
    examples: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    @property
    def is_clean(self) -> bool:
        return self.lost == self.doubled == self.wrong == self.silent == 0

    def show(self, what: str, words: str) -> None:
        if len(self.examples[what]) < SHOWN:
            self.examples[what].append(words)


def judge(
    market: Market, first: dict[tuple[str, str], int], closed: int, upstream: Upstream, files: list[File],
    told: dict[int, list[str]], deleted: set[Name],
    versions: dict[tuple[str, int], int],
) -> Verdict:
    """Judges a round whose channels were first subscribed at these times and whose market closed at that one.

    `told` is what each box said at the end that is not well: it speaks for the rows of its own file and its own symbols.
    `versions` are minute bars that were upstream meanwhile.
    """
    return _Judge(market, first, closed, upstream, files, told, deleted, versions).verdict()


@dataclass
class _Judge:
    market: Market
    first: dict[tuple[str, str], int]
    closed: int
    upstream: Upstream
    files: list[File]
    told: dict[int, list[str]]
    deleted: set[Name]
    versions: dict[tuple[str, int], int]
    result: Verdict = field(default_factory=Verdict)

    def verdict(self) -> Verdict:
        for (kind, symbol), since in self.first.items():
            numbers = self.market.numbers(kind, symbol, since, self.closed)
            self.result.due += len(numbers)
            if kind == "AM":
                self._minutes(symbol, numbers)
            else:
                self._each(kind, symbol, numbers)
        for words in self.upstream.wrong + [words for file in self.files for words in file.wrong]:
            self.result.wrong += 1
            self.result.show("wrong", words)
        self._strangers()
        self._older_versions()
        self._wild_gaps()
        result = self.result
        # Who lost a row in silence is known; of a row that is there twice any box may have spoken.
        result.silent = result.lost + (0 if any(self.told.values()) else result.doubled + result.wrong)
        return result

    def _each(self, kind: str, symbol: str, numbers: range) -> None:
        for number in numbers:
            count = self.upstream.counts[kind, symbol, number]
            if count == 0:
                self._missing(self.market.event(kind, symbol, number))
                continue
            self.result.upstream += 1
            if count > 1:
                self.result.doubled += count - 1
                self.result.show("doubled", f"{self.market.event(kind, symbol, number)}: {count} times")

    def _minutes(self, symbol: str, numbers: range) -> None:
        """Of a minute bar the newest version has to be upstream; an older one that is there doesn't excuse it."""
        for number in numbers:
            event = self.market.event("AM", symbol, number)
            if number <= self.upstream.minutes.get((symbol, event.start), -1):
                self.result.upstream += 1
            else:
                self._missing(event)

    def _missing(self, event: Event) -> None:
        if (event.kind, event.symbol, event.number) in self.deleted:
            return self._explain("deletion by hand")
        stream = STREAMS[event.kind]
        kept = [(file, sequence) for file in self.files
                for sequence in file.rows.get((event.kind, event.symbol, event.number), ())]
        for file, sequence in kept:
            if (stream, sequence) in file.letters:
                return self._explain("dead letter")
            for drop in file.drops:
                if drop.sequences and drop.covers(event, stream, sequence):
                    return self._explain(f"drop ({drop.reason})")
            if event.kind == "AM" and sequence in file.fills and (event.symbol, event.start) in self.upstream.minutes:
                return self._explain("a fill never replaces a bar of the stream")
        if not kept:
            gaps = [gap for file in self.files for gap in file.gaps if gap.covers(event)]
            if any(not (gap.is_uncertain or self._should_be_filled(gap, event)) for gap in gaps):
                return self._explain("gap")
            if any(gap.is_uncertain and gap.names(event) for file in self.files for gap in file.gaps):
                return self._explain("gap of unknown extent")
            for drop in (drop for file in self.files for drop in file.drops):
                if drop.covers(event, stream, None):
                    return self._explain(f"drop ({drop.reason})")
            if any(file.lacks_gaps for file in self.files):
                return self._explain("gaps that can't be read, as an incident says")
            if gaps:
                return self._lose(event, "in a gap that is said to be filled", {file.box for file in self.files})
        where = ", ".join(
            f"row {sequence} of box {file.box} ({'acknowledged' if sequence <= file.acknowledged[stream] else 'waiting'})"
            for file, sequence in kept) or "in no file, in no gap"
        self._lose(event, where, {file.box for file, _ in kept})

    def _should_be_filled(self, gap: Gap, event: Event) -> bool:
        """Whether the REST aggregates brought what is missing, by what the gap's row says.

        A fill never replaces a minute bar that the stream brought, so that an older version of one may stay.
        """
        if event.kind == "AM":
            return gap.is_filled and (event.symbol, event.start) not in self.upstream.minutes
        return gap.is_filled and event.kind == "A"

    def _lose(self, event: Event, where: str, boxes: set[int]) -> None:
        owners = boxes | {box for box in self.told if event.symbol in symbols(box)}
        what = "told" if any(self.told.get(box) for box in owners) else "lost"
        setattr(self.result, what, getattr(self.result, what) + 1)
        self.result.show(what, f"{event}: {where}")

    def _explain(self, by: str) -> None:
        self.result.explained[by] += 1

    def _older_versions(self) -> None:
        """Minute bars of which an older version took a newer one's place upstream."""
        for (symbol, start), number in self.versions.items():
            found = self.upstream.minutes.get((symbol, start), -1)
            if found < number:
                self.result.wrong += 1
                self.result.show("wrong", f"AM.{symbol} {start / 1000:.0f}: version {number} was upstream, {found} is now")

    def _wild_gaps(self) -> None:
        """Gaps that reach far out of the round, as a clock that is wrong makes them. They excuse more than they should."""
        first = min(self.first.values(), default=self.closed)
        for file in self.files:
            for gap in file.gaps:
                if gap.reaches_out_of(first, self.closed):
                    self.result.wild += 1
                    self.result.show("wild", f"box {file.box}: a gap from {gap.start / 1000:.3f} to {gap.end / 1000:.3f}")

    def _strangers(self) -> None:
        """Rows upstream of events that were never sent to anybody."""
        for kind, symbol, number in self.upstream.counts:
            since = self.first.get((kind, symbol))
            emitted = self.market.emitted(kind, symbol, number)
            # A fill reaches back to before the first subscription.
            if since is None or emitted > self.closed or emitted <= since and kind != "A":
                self.result.wrong += 1
                self.result.show("wrong", f"upstream, and never sent: {kind}.{symbol} {number}")
