"""What the files and the database hold, read as any program may."""

import contextlib
import glob
import os
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from .database import Database
from .market import COLUMNS, MINUTE, Event, Market, decimal

FOREVER = 1 << 60
# What `source` says of bars that fill a gap, and `connection` of ticks; of corrections that it missed; what REST lacks.
FILL, CORRECTION = "backfill", "reconcile"
REST = (FILL, CORRECTION)
NOT_IN_REST = ("day_volume", "day_open", "day_vwap", "average_size")
# An event's name: kind, symbol, number.
Name = tuple[str, str, int]


@dataclass(frozen=True)
class Gap:
    """A span of event time in which events of these kinds and symbols may be missing; one that is open has no end."""

    symbols: frozenset[str]
    kinds: frozenset[str]
    start: int
    end: int
    # Whether the file says that the ends may be off, because the clock was wrong.
    is_uncertain: bool = False
    # Whether what the REST API has of it is said to be in the buffer; if not, of which kinds and symbols this is said.
    is_filled: bool = False
    filled: frozenset[tuple[str, str]] = frozenset()

    def names(self, event: Event) -> bool:
        """Whether it is of the event's kind and symbol."""
        return event.kind in self.kinds and (event.symbol in self.symbols or "*" in self.symbols)

    def is_filled_with(self, event: Event) -> bool:
        """Whether it says that the REST API was asked for the event's kind and symbol, and that all that came was kept."""
        # Which symbols are meant by all is the collector's guess.
        return (event.kind, event.symbol) in self.filled or self.is_filled and "*" not in self.symbols

    def reaches_out_of(self, first: int, last: int) -> bool:
        """Whether it claims, without a doubt, that events are missing long before or after there were any."""
        return not self.is_uncertain and (self.start < first - MINUTE or self.end > last + MINUTE)

    def covers(self, event: Event) -> bool:
        if not self.names(event):
            return False
        # A version of a minute bar is missed when it is sent, up to fifteen minutes after what it is about.
        first, last = (event.emitted, event.emitted) if event.kind == "AM" else (event.start, event.end)
        return self.start <= last and first <= self.end


@dataclass(frozen=True)
class Drop:
    """Events that a file says were given up."""

    stream: str
    symbol: str
    reason: str
    start: int | None
    end: int | None
    sequences: tuple[int, int] | None

    def covers(self, event: Event, stream: str, sequence: int | None) -> bool:
        if self.stream != stream or self.symbol not in (event.symbol, "*"):
            return False
        if sequence is not None and self.sequences:
            return self.sequences[0] <= sequence <= self.sequences[1]
        return self.start is None or self.end is None or self.start <= event.end and event.start <= self.end


@dataclass
class File:
    """The buffer's file of one box, when nothing runs on it."""

    box: int
    rows: dict[Name, list[int]] = field(default_factory=lambda: defaultdict(list))
    # Numbers of rows of the stream bars that fill a gap; number and row of the newest version of each minute bar.
    fills: set[int] = field(default_factory=set)
    minutes: dict[tuple[str, int], tuple[int, int]] = field(default_factory=dict)
    gaps: list[Gap] = field(default_factory=list)
    drops: list[Drop] = field(default_factory=list)
    letters: set[tuple[str, int]] = field(default_factory=set)
    # Through which rows a stream is upstream, its rows are deleted, and its uploaded rows are said to be gone upstream.
    acknowledged: dict[str, int] = field(default_factory=dict)
    deleted: dict[str, int] = field(default_factory=dict)
    gone: dict[str, int] = field(default_factory=dict)
    # Whether an incident says that gaps of a file that was set aside can't be read.
    lacks_gaps: bool = False
    wrong: list[str] = field(default_factory=list)


@dataclass
class Upstream:
    """What the database holds."""

    counts: Counter[Name] = field(default_factory=Counter)
    # The number of the newest version of each minute bar, by symbol and start.
    minutes: dict[tuple[str, int], int] = field(default_factory=dict)
    # Which of all these came by REST, and whether to fill a gap or as a correction.
    sources: dict[Name, str] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


def read_file(market: Market, box: int, directory: str, saved: Iterable[str] = ()) -> File:
    """Reads a box's file, and the accounts of those that were set aside and of what was saved of these."""
    file = File(box)
    path = os.path.join(directory, "ticks.sqlite")
    if os.path.exists(path):
        _read(market, path, file)
    others = glob.glob(os.path.join(directory, "ticks-bad-*.sqlite"))
    for other in [*others, *(os.path.join(copy, "ticks.sqlite") for copy in saved)]:
        try:
            _read_accounts(other, file, is_former=True)
        except sqlite3.Error:
            continue
    return file


def _read(market: Market, path: str, file: File) -> None:
    base = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
    try:
        for stream, columns in COLUMNS.items():
            head = "interval_s, source, start_ms" if stream == "bars" else "0, NULL, time_ms"
            for sequence, symbol, interval, source, start, *values in base.execute(
                f"SELECT seq, symbol, {head}, {', '.join(columns)} FROM {stream} ORDER BY seq"
            ):
                kind = {"bars": "AM" if interval == 60 else "A", "trades": "T", "quotes": "Q"}[stream]
                event = recognise(market, kind, symbol, start, values, source in REST)
                if isinstance(event, Event):
                    file.rows[event.kind, event.symbol, event.number].append(sequence)
                    if source == FILL:
                        file.fills.add(sequence)
                    if kind == "AM":
                        newest = file.minutes.get((symbol, event.start), (event.number, sequence))
                        file.minutes[symbol, event.start] = max(newest, (event.number, sequence))
                else:
                    file.wrong.append(f"box {file.box}, {stream} {sequence}: {event}")
        known = {row[1] for row in base.execute("PRAGMA table_info(streams)")}
        gone = "gone_through" if "gone_through" in known else "0"
        for stream, *marks in base.execute(f"SELECT stream, acknowledged, deleted_through, {gone} FROM streams"):
            file.acknowledged[stream], file.deleted[stream], file.gone[stream] = marks
        file.letters = set(base.execute("SELECT stream, seq FROM dead_letters"))
    finally:
        base.close()
    _read_accounts(path, file)


def _read_accounts(path: str, file: File, is_former: bool = False) -> None:
    """Reads what a file says is missing. What one that was set aside was still to fill is its successor's to say."""
    base = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
    try:
        columns = {row[1] for row in base.execute("PRAGMA table_info(gaps)")}
        uncertain = "uncertain" if "uncertain" in columns else "0"
        filled = defaultdict(set)
        # Where they can't be read, the gap's state alone counts.
        with contextlib.suppress(sqlite3.DatabaseError):
            for number, kind, symbol in base.execute("SELECT gap, event, symbol FROM gap_fills"):
                filled[number].add((kind, symbol))
        for number, symbols, kinds, start, end, doubt, state in base.execute(
            f"SELECT id, symbols, events, from_ms, to_ms, {uncertain}, state FROM gaps"
            + (" WHERE cause = 'damaged' OR state NOT IN ('open', 'partial')" if is_former else "")
        ):
            file.gaps.append(Gap(
                frozenset(symbols.split(",")), frozenset(kinds.split(",")), start, FOREVER if end is None else end,
                bool(doubt), state in ("filled", "empty"), frozenset(filled[number])))
        for stream, symbol, reason, start, end, first, last in base.execute(
            "SELECT stream, symbol, reason, from_ms, to_ms, first_seq, last_seq FROM drops WHERE count > 0"
        ):
            sequences = (first, last) if first is not None and last is not None else None
            file.drops.append(Drop(stream, symbol, reason, start, end, sequences))
        for (detail,) in base.execute("SELECT detail FROM incidents"):
            file.lacks_gaps |= "gaps can't be read" in detail or "but there may be others" in detail
    finally:
        base.close()


def read_upstream(market: Market, database: Database) -> Upstream:
    """Reads every table of the database."""
    upstream = Upstream()
    for table, stream, kind in (
        ("ohlcv_1min", "bars", "AM"), ("ohlcv_1sec", "bars", "A"), ("trades", "trades", "T"), ("quotes", "quotes", "Q"),
    ):
        time = "source, start_ms" if stream == "bars" else "connection, round(extract(epoch from time) * 1000)::bigint"
        names = ["decimal_volume" if name == "volume" else name for name in COLUMNS[stream]]
        rows = database.psql(f"COPY (SELECT symbol, {time}, {', '.join(names)} FROM {table}) TO STDOUT")
        for row in rows.splitlines():
            symbol, source, start, *texts = row.split("\t")
            values = [None if text == "\\N" else text for text in texts]
            event = recognise(market, kind, symbol, int(start), values, source in REST)
            if not isinstance(event, Event):
                upstream.wrong.append(f"{table}: {event}")
                continue
            if kind == "AM":
                upstream.minutes[symbol, event.start] = event.number
            else:
                upstream.counts[kind, symbol, event.number] += 1
            if source in REST:
                upstream.sources[kind, symbol, event.number] = source
    return upstream


def read_versions(market: Market, database: Database) -> dict[tuple[str, int], int]:
    """The number of the version of each minute bar that is upstream."""
    versions = {}
    for row in database.psql("COPY (SELECT symbol, start_ms, decimal_volume FROM ohlcv_1min) TO STDOUT").splitlines():
        symbol, start, volume = row.split("\t")
        number = market.number_of_bar("AM", symbol, int(start), Decimal(volume))
        if number is not None:
            versions[symbol, int(start)] = number
    return versions


def recognise(
    market: Market, kind: str, symbol: str, start: int, values: list, is_from_rest: bool = False
) -> Event | str:
    """The event that a row is; or, in words, what is wrong with the row. A bar from REST lacks the day's columns,
    or keeps those of an older version."""
    try:
        if kind in ("T", "Q"):
            number = int(values[-1])
        else:
            number = market.number_of_bar(kind, symbol, start, Decimal(str(values[4])))
            if number is None:
                return f"a {kind} bar of {symbol} at {start} with volume {values[4]}"
        event = market.event(kind, symbol, number)
    except (TypeError, ValueError, ArithmeticError, IndexError) as error:
        return f"a row of no event, {kind} {symbol} {start} {values} ({error})"
    if event.start != start:
        return f"{event} at {start}"
    texts = tuple(_text(value) for value in values)
    for name, found, wanted in zip(COLUMNS[_stream(kind)], texts, event.columns):
        if is_from_rest and name in NOT_IN_REST:
            continue
        if found != wanted:
            return f"{event}: {name} is {found}, not {wanted}"
    return event


def _stream(kind: str) -> str:
    return {"AM": "bars", "A": "bars", "T": "trades", "Q": "quotes"}[kind]


def _text(value: object) -> str | None:
    if value is None:
        return None
    text = str(value)
    return text if text.startswith("[") else decimal(text)
