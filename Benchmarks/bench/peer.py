"""The peer: the feed's official Python client, its bars into SQLite, committed every 50 ms as EdgeTick does.

usage: peer.py HOST:PORT CHANNELS DATABASE
"""

import sqlite3
import sys
import threading
import time

from massive import WebSocketClient

address, channels, path = sys.argv[1:]
database = sqlite3.connect(path, check_same_thread=False)
database.execute("pragma journal_mode = wal")
database.execute("pragma synchronous = full")
database.execute(
    "create table bars (event text, symbol text, start_ms integer, end_ms integer, open real, high real, low real,"
    " close real, volume real, vwap real, day_volume real, day_open real, day_vwap real, average_size real)")
database.commit()
writing = threading.Lock()


def store(messages: list) -> None:
    rows = [
        (m.event_type, m.symbol, m.start_timestamp, m.end_timestamp, m.open, m.high, m.low, m.close, m.volume, m.vwap,
         m.accumulated_volume, m.official_open_price, m.aggregate_vwap, m.average_size)
        for m in messages
    ]
    with writing:
        database.executemany("insert into bars values (?,?,?,?,?,?,?,?,?,?,?,?,?,?)", rows)


def commit() -> None:
    while True:
        time.sleep(0.05)
        with writing:
            database.commit()


threading.Thread(target=commit, daemon=True).start()

WebSocketClient(
    api_key="bench", feed=address, secure=False, subscriptions=channels.split(","), max_reconnects=0).run(store)
with writing:
    database.commit()
