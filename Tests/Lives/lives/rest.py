"""The provider's REST API: the bars, trades and quotes that have passed, a page at a time."""

import asyncio
import json
from email.utils import formatdate
from urllib.parse import parse_qs, urlsplit

from .feed import Feed, milliseconds
from .market import MINUTE, SECOND, Event

# Small, so that gaps take several pages.
PAGE, PAGE_OF_TICKS = 40, 200
# How far the clock is moved on when the market has closed, in milliseconds.
CLOSED = 60_000
# Nanoseconds of a millisecond.
MILLION = 1_000_000
TICKS = {"trades": "T", "quotes": "Q"}


class Rest:
    """Serves what the feed's market has made; on the feed's loop."""

    def __init__(self, feed: Feed, has_ticks: bool) -> None:
        # Whether the account's plan covers trades and quotes.
        self.feed, self.has_ticks = feed, has_ticks
        self.port = 0
        self.server: asyncio.Server | None = None

    async def start(self) -> None:
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self.server:
            self.server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                status, body = self._answer(head.split(b" ", 2)[1].decode())
                payload = json.dumps(body).encode()
                fields = [
                    f"HTTP/1.1 {status}", f"Date: {formatdate(self._clock() / 1000, usegmt=True)}",
                    "Content-Type: application/json", f"Content-Length: {len(payload)}",
                ]
                writer.write("".join(f"{line}\r\n" for line in [*fields, ""]).encode() + payload)
                await writer.drain()
        except (OSError, EOFError, ValueError):
            pass
        finally:
            writer.close()

    def _clock(self) -> int:
        """The server's own; half a minute after the close, when the gaps of the last moments are filled, it is past them."""
        return milliseconds() + self.feed.difference + (CLOSED if self.feed.closed else 0)

    def _answer(self, target: str) -> tuple[str, dict]:
        parts = urlsplit(target)
        words = parts.path.strip("/").split("/")
        if len(words) == 3 and words[0] == "v3" and words[1] in TICKS:
            return self._ticks(parts.path, words[1], words[2], parse_qs(parts.query))
        if len(words) != 9 or words[:3] != ["v2", "aggs", "ticker"] or words[4:6] != ["range", "1"]:
            return "404 Not Found", {"status": "ERROR", "error": "no such route"}
        symbol, unit, first, last = words[3], words[6], int(words[7]), int(words[8])
        first = int(parse_qs(parts.query).get("cursor", [first])[0])
        bars = self._minutes(symbol, first, last) if unit == "minute" else self._seconds(symbol, first, last)
        answer = {"ticker": symbol, "status": "OK", "resultsCount": len(bars[:PAGE]), "results": bars[:PAGE]}
        if len(bars) > PAGE:
            answer["next_url"] = f"http://127.0.0.1:{self.port}{parts.path}?cursor={bars[PAGE]['t']}"
        return "200 OK", answer

    def _seconds(self, symbol: str, first: int, last: int) -> list[dict]:
        market, now = self.feed.market, self.feed.now()
        starts = range(-(-max(first, self.feed.opened) // SECOND), last // SECOND + 1)
        return [self._bar(market.event("A", symbol, number)) for number in starts
                if market.emitted("A", symbol, number) <= now]

    def _minutes(self, symbol: str, first: int, last: int) -> list[dict]:
        """Of each minute the newest version that has been sent."""
        market, now, bars = self.feed.market, self.feed.now(), []
        for minute in range(-(-max(first, self.feed.opened - 2 * MINUTE) // MINUTE), last // MINUTE + 1):
            sent = market.numbers("AM", symbol, (minute + 1) * MINUTE - 1, min((minute + 2) * MINUTE - 1, now))
            if sent:
                bars.append(self._bar(market.event("AM", symbol, sent[-1])))
        return bars

    def _ticks(self, path: str, route: str, symbol: str, query: dict[str, list[str]]) -> tuple[str, dict]:
        """Trades or quotes with times, in nanoseconds, from one on and before another."""
        if not self.has_ticks:
            return "403 Forbidden", {"status": "NOT_AUTHORIZED", "message": f"the plan does not cover {route}"}
        first, end = (int(query[f"timestamp.{name}"][0]) for name in ("gte", "lt"))
        market, kind = self.feed.market, TICKS[route]
        numbers = market.numbers(
            kind, symbol, max(first // MILLION - 1, self.feed.opened), min(end // MILLION - 1, self.feed.now()))
        page = min(PAGE_OF_TICKS, int(query["limit"][0]))
        answer = {"status": "OK", "results": [self._tick(market.event(kind, symbol, number)) for number in numbers[:page]]}
        if len(numbers) > page:
            # As the provider does, by the name of its own host.
            start = market.emitted(kind, symbol, numbers[page]) * MILLION
            answer["next_url"] = f"https://api.polygon.io{path}?timestamp.gte={start}&timestamp.lt={end}&order=asc&limit={page}"
        return "200 OK", answer

    @staticmethod
    def _tick(event: Event) -> dict:
        common = {"sip_timestamp": event.start * MILLION + event.number % MILLION, "sequence_number": event.number}
        if event.kind == "T":
            price, size, exchange, tape, name, conditions, _ = event.columns
            return common | {
                "price": float(price), "size": float(size), "exchange": int(exchange), "tape": int(tape), "id": name,
            } | ({"conditions": json.loads(conditions)} if conditions else {})
        bid, bid_size, bid_exchange, ask, ask_size, ask_exchange, condition, tape, _ = event.columns
        return common | {
            "bid_price": float(bid), "bid_size": int(bid_size), "bid_exchange": int(bid_exchange), "ask_price": float(ask),
            "ask_size": int(ask_size), "ask_exchange": int(ask_exchange), "conditions": [int(condition)], "tape": int(tape),
        }

    @staticmethod
    def _bar(event: Event) -> dict:
        opened, high, low, close, volume, vwap = (float(text) for text in event.columns[:6])
        return {"t": event.start, "o": opened, "h": high, "l": low, "c": close, "v": volume, "vw": vwap, "n": 3}
