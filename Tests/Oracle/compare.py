#!/usr/bin/env python3
"""Compares what a feed sent with what a collector kept, exactly.

    compare.py --capture FILE... [--sqlite ticks.sqlite] [--postgres URI] [--times N]

Reads capture files (one line is one text frame; .gz or plain), the buffer file and the upstream tables, each on its
own, and compares per table and symbol the number of rows and the sum of every column. Numbers are decimals, never
binary fractions; texts count by the sum of their CRC-32. Shares no code with the collector on purpose.

The buffer holds every event that was sent; upstream holds one bar a window, the last one sent. With --times N the
events are expected N times in the buffer's trades and quotes and upstream (a replay that was sent N times).

Exits with 1 and a line a difference when anything differs.
"""

import argparse
import collections
import csv
import gzip
import io
import json
import sqlite3
import subprocess
import sys
import zlib
from decimal import Decimal, getcontext

getcontext().prec = 60

BAR = {
    "start_ms": "s", "end_ms": "e", "open": "o", "high": "h", "low": "l", "close": "c", "volume": "v",
    "vwap": "vw", "day_volume": "av", "day_open": "op", "day_vwap": "a", "average_size": "z",
}
TRADE = {
    "time_ms": "t", "price": "p", "size": "s", "exchange": "x", "tape": "z", "trade_id": "i", "conditions": "c",
    "sequence": "q",
}
QUOTE = {
    "time_ms": "t", "bid": "bp", "bid_size": "bs", "bid_exchange": "bx", "ask": "ap", "ask_size": "as",
    "ask_exchange": "ax", "condition": "c", "indicators": "i", "tape": "z", "sequence": "q",
}
TABLES = {"minute bars": BAR, "second bars": BAR, "trades": TRADE, "quotes": QUOTE}
KINDS = {"AM": "minute bars", "A": "second bars", "T": "trades", "Q": "quotes"}
EXACT = {"v": "dv", "av": "dav", "s": "ds"}
TEXTS = {"trade_id", "conditions", "indicators"}


class Sums:
    """Per table and symbol: rows and the sum of every column."""

    def __init__(self):
        self.rows = collections.Counter()
        self.sums = collections.defaultdict(Decimal)
        self.present = collections.Counter()

    def add(self, table, symbol, values):
        self.rows[table, symbol] += 1
        for column, value in values.items():
            if value is None:
                continue
            if column in TEXTS:
                value = zlib.crc32(str(value).encode())
            elif not isinstance(value, (int, Decimal)):
                value = Decimal(repr(value) if isinstance(value, float) else value)
            self.sums[table, symbol, column] += value
            self.present[table, symbol, column] += 1


def frames(paths):
    for path in paths:
        opened = gzip.open(path, "rt") if path.endswith(".gz") else open(path)
        with opened as lines:
            for line in lines:
                yield json.loads(line, parse_float=Decimal)


def row_of(event, table):
    values = {}
    for column, field in TABLES[table].items():
        exact = EXACT.get(field) if table != "quotes" and column != "start_ms" else None
        value = event.get(exact) if exact and exact in event else event.get(field)
        if column in ("conditions", "indicators") and value is not None:
            value = json.dumps(value, separators=(",", ":"))
        if column == "end_ms" and value is None:
            value = event["s"] + (60_000 if table == "minute bars" else 1_000)
        values[column] = value
    return values


def from_captures(paths):
    """Every event as sent, and the newest bar of every window."""
    sent, newest = Sums(), Sums()
    last = {}
    for frame in frames(paths):
        for event in frame if isinstance(frame, list) else [frame]:
            table = KINDS.get(event.get("ev"))
            if table is None:
                continue
            values = row_of(event, table)
            sent.add(table, event["sym"], values)
            if table in ("minute bars", "second bars"):
                last[table, event["sym"], values["start_ms"]] = values
            else:
                newest.add(table, event["sym"], values)
    for (table, symbol, _), values in last.items():
        newest.add(table, symbol, values)
    return sent, newest


def from_sqlite(path):
    sums = Sums()
    database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    queries = [
        ("minute bars", "bars", BAR, "where interval_s = 60"),
        ("second bars", "bars", BAR, "where interval_s = 1"),
        ("trades", "trades", TRADE, ""),
        ("quotes", "quotes", QUOTE, ""),
    ]
    for table, name, columns, condition in queries:
        for symbol, *values in database.execute(f"select symbol, {', '.join(columns)} from {name} {condition}"):
            sums.add(table, symbol, dict(zip(columns, values)))
    return sums


def milliseconds(column):
    return f"(extract(epoch from {column}) * 1000)::bigint"


def from_postgres(uri, shifts):
    sums = Sums()
    start = milliseconds('"timestamp"')
    bars = ["start_ms", "open", "high", "low", "close", "decimal_volume as volume", "vwap", "day_volume", "day_open",
            "day_vwap", "average_size"]
    queries = [
        ("minute bars", "ohlcv_1min", [f"{start} - {shifts['minute bars']} as start_ms"] + bars[1:]),
        ("second bars", "ohlcv_1sec", [f"{start} - {shifts['second bars']} as start_ms"] + bars[1:]),
        ("trades", "trades", [f"{milliseconds('time')} as time_ms"] + [c for c in TRADE if c != "time_ms"]),
        ("quotes", "quotes", [f"{milliseconds('time')} as time_ms"] + [c for c in QUOTE if c != "time_ms"]),
    ]
    for table, name, columns in queries:
        sql = f"copy (select symbol, {', '.join(columns)} from {name}) to stdout (format csv, header)"
        psql = subprocess.Popen(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", uri, "-c", sql], stdout=subprocess.PIPE)
        for row in csv.DictReader(io.TextIOWrapper(psql.stdout)):
            symbol = row.pop("symbol")
            sums.add(table, symbol, {column: value if value != "" else None for column, value in row.items()})
        if psql.wait() != 0:
            sys.exit(f"psql failed on {name}")
    return sums


def compare(name, expected, found, times, columns_missing=()):
    differences = 0
    for key in sorted(expected.rows.keys() | found.rows.keys()):
        factor = times if key[0] in ("trades", "quotes") else 1
        if expected.rows[key] * factor != found.rows[key]:
            print(f"{name}: {key[0]} {key[1]}: {expected.rows[key] * factor} rows expected, {found.rows[key]} found")
            differences += 1
    for key in sorted(expected.sums.keys() | found.sums.keys()):
        if key[2] in columns_missing:
            continue
        factor = times if key[0] in ("trades", "quotes") else 1
        want, have = expected.sums[key] * factor, found.sums[key]
        if want != have or expected.present[key] * factor != found.present[key]:
            print(f"{name}: {key[0]} {key[1]} {key[2]}: sum {want} of {expected.present[key] * factor} values "
                  f"expected, {have} of {found.present[key]} found")
            differences += 1
    counts = collections.Counter()
    for (table, _), rows in found.rows.items():
        counts[table] += rows
    print(f"{name}: " + ", ".join(f"{counts[table]} {table}" for table in TABLES)
          + (": equal" if differences == 0 else f": {differences} differences"))
    return differences


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--capture", nargs="+", required=True)
    parser.add_argument("--sqlite")
    parser.add_argument("--postgres")
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("--bar-timestamp", choices=["start", "end"], default="start")
    arguments = parser.parse_args()
    sent, newest = from_captures(arguments.capture)
    differences = 0
    if arguments.sqlite:
        differences += compare("sqlite", sent, from_sqlite(arguments.sqlite), arguments.times)
    if arguments.postgres:
        ends = arguments.bar_timestamp == "end"
        shifts = {"minute bars": 60_000 if ends else 0, "second bars": 1_000 if ends else 0}
        found = from_postgres(arguments.postgres, shifts)
        differences += compare("postgres", newest, found, arguments.times, columns_missing=("end_ms",))
    sys.exit(1 if differences else 0)


if __name__ == "__main__":
    main()
