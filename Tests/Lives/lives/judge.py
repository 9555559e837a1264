"""Compares what had to arrive with what is there, by event time."""

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from .ledger import FILL, File, Gap, Name, Upstream
from .market import STREAMS, Event, Market
from .outcome import GONE, NOT_ALL

SHOWN = 6
# What a collector that asks for a person says of uploaded rows: those after one may be missing, or that one is.
AFTER = re.compile(r"recorded as uploaded, but the ledger proves only those through (\d+)")
THAT_ONE = re.compile(r"row (\d+) is recorded as uploaded but missing upstream")


@dataclass
class Verdict:
    """What is so at the end of a round."""

    due: int = 0
    upstream: int = 0
    # Rows upstream that came by REST.
    filled: int = 0
    # Events that are explained, by what explains them.
    explained: Counter[str] = field(default_factory=Counter)
    # Missing without an account of the files, apart by whether `edgetick sync` said last that this row is not upstream.
    lost: int = 0
    told: int = 0
    doubled: int = 0
    wrong: int = 0
    # Lost and doubled rows of whose stream no box said anything, and all that is wrong.
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
    last_words: dict[int, dict[str, str]], deleted: set[Name],
    versions: dict[tuple[str, int], int],
) -> Verdict:
    """Judges a round whose channels were first subscribed at these times and whose market closed at that one.

    `last_words` is what `edgetick sync` said last of each stream of a box: it speaks for rows of the box's file.
    `versions` are minute bars that were upstream meanwhile.
    """
    return _Judge(market, first, closed, upstream, files, last_words, deleted, versions).verdict()


@dataclass
class _Judge:
    market: Market
    first: dict[tuple[str, str], int]
    closed: int
    upstream: Upstream
    files: list[File]
    last_words: dict[int, dict[str, str]]
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
        result.filled = len(self.upstream.sources)
        result.silent += result.wrong
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
                self.result.silent += 0 if self._is_spoken_of(kind) else count - 1
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
        # Of a minute bar, a newer version is as good.
        newer = [(file, file.minutes[bar][1]) for file in self.files if event.kind == "AM" and not kept
                 for bar in [(event.symbol, event.start)] if file.minutes.get(bar, (-1, 0))[0] > event.number]
        for file, sequence in kept or newer:
            if (stream, sequence) in file.letters:
                return self._explain("dead letter")
            for drop in file.drops:
                if drop.sequences and drop.covers(event, stream, sequence):
                    return self._explain(f"drop ({drop.reason})")
            if event.kind == "AM" and sequence in file.fills and self._is_of_stream(event):
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
        where = ", ".join(
            f"row {sequence} of box {file.box} ({'acknowledged' if sequence <= file.acknowledged[stream] else 'waiting'})"
            for file, sequence in kept or newer) or "in no file"
        if not kept:
            where += ", in a gap that is said to be filled" if gaps else ", in no gap"
        what = "told" if any(self._is_told(file, stream, sequence) for file, sequence in kept or newer) else "lost"
        setattr(self.result, what, getattr(self.result, what) + 1)
        self.result.silent += what == "lost" and not self._is_spoken_of(event.kind)
        self.result.show(what, f"{event}: {where}")

    def _is_spoken_of(self, kind: str) -> bool:
        """Whether a box said anything of the stream, if not of the row."""
        return any(STREAMS[kind] in words for words in self.last_words.values())

    def _is_told(self, file: File, stream: str, sequence: int) -> bool:
        """Whether the box of a file said that this row of it is not upstream: one that waits, or counts as uploaded."""
        words = self.last_words.get(file.box, {}).get(stream, "")
        if sequence > file.acknowledged[stream]:
            return NOT_ALL in words
        if GONE in words and sequence <= file.gone[stream]:
            return True
        after, that_one = AFTER.search(words), THAT_ONE.search(words)
        return bool(after and sequence > int(after[1]) or that_one and sequence == int(that_one[1]))

    def _is_of_stream(self, event: Event) -> bool:
        """Whether a version of a minute bar is upstream that no fill replaces."""
        number = self.upstream.minutes.get((event.symbol, event.start))
        return number is not None and self.upstream.sources.get(("AM", event.symbol, number)) != FILL

    def _should_be_filled(self, gap: Gap, event: Event) -> bool:
        """Whether the REST API brought what is missing, by what the gap's row says.

        A fill never replaces a minute bar that the stream brought, so that an older version of one may stay; but one that
        begins before the gap is corrected, unless the file has deleted the bars by which that is found out.
        """
        if event.kind == "AM" and self._is_of_stream(event):
            has_bars = not any(file.deleted.get("bars") for file in self.files)
            return gap.is_filled_with(event) and event.start < gap.start and has_bars
        return gap.is_filled_with(event)

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
            is_early = since is not None and emitted <= since and (kind, symbol, number) not in self.upstream.sources
            if since is None or emitted > self.closed or is_early:
                self.result.wrong += 1
                self.result.show("wrong", f"upstream, and never sent: {kind}.{symbol} {number}")
