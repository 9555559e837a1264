"""The market: every event follows from its kind, its symbol and its number, and the number from the wall clock.

So nothing has to be kept to know what was sent: the numbers of a span of time are the events that had to arrive.
"""

import zlib
from dataclasses import dataclass
from decimal import Decimal

SECOND, MINUTE = 1000, 60_000
KINDS = ("AM", "A", "T", "Q")
STREAMS = {"AM": "bars", "A": "bars", "T": "trades", "Q": "quotes"}
SYMBOLS_A_BOX = 3
# A second bar is sent so many milliseconds after its window.
BAR_DELAY = 90


def symbols(box: int) -> list[str]:
    """The symbols of a box; no two boxes share one, so what a clone collects is its own."""
    return [f"{chr(ord('K') + box)}X{letter}" for letter in "ABC"[:SYMBOLS_A_BOX]]


def decimal(value: object) -> str:
    """A number in one spelling, whatever wrote it."""
    text = format(Decimal(str(value)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


@dataclass(frozen=True)
class Event:
    """One event: when it is sent, the span of event time that it is about, how it is sent, and what its row holds."""

    kind: str
    symbol: str
    number: int
    emitted: int
    start: int
    end: int
    text: str
    columns: tuple[str | None, ...]

    def __str__(self) -> str:
        return f"{self.kind}.{self.symbol} {self.number} of {self.start / 1000:.3f}, sent {self.emitted / 1000:.3f}"


@dataclass(frozen=True)
class Market:
    """How often events come, in milliseconds for each symbol. Minute bars are versions of the bar of the minute before."""

    trade_step: int = 20
    quote_step: int = 50
    correction_step: int = 400

    def numbers(self, kind: str, symbol: str, after: int, through: int) -> range:
        """The numbers of the events that are sent after one moment and not after another."""
        step, offset = self._pace(kind, symbol)
        return range((after - offset) // step + 1, (through - offset) // step + 1)

    def emitted(self, kind: str, symbol: str, number: int) -> int:
        step, offset = self._pace(kind, symbol)
        return number * step + offset

    def event(self, kind: str, symbol: str, number: int) -> Event:
        """The event of a number."""
        emitted = self.emitted(kind, symbol, number)
        mixed = zlib.crc32(f"{kind}{symbol}{number}".encode())
        if kind == "T":
            return self._trade(symbol, number, emitted, mixed)
        if kind == "Q":
            return self._quote(symbol, number, emitted, mixed)
        if kind == "A":
            return self._bar("A", symbol, number, emitted, number * SECOND, SECOND, mixed, 100 + mixed % 900)
        start = emitted // MINUTE * MINUTE - MINUTE
        # A correction adds late trades: each version has more volume than the one before.
        volume = 10_000 + (emitted - start - MINUTE) // self.correction_step
        return self._bar("AM", symbol, number, emitted, start, MINUTE, mixed, volume)

    def number_of_bar(self, kind: str, symbol: str, start: int, volume: Decimal) -> int | None:
        """The number of the bar with this start, and for a minute bar with the volume that tells its version."""
        if kind == "A":
            return start // SECOND if start % SECOND == 0 else None
        version = int(volume) - 10_000
        first = self.numbers(kind, symbol, start + MINUTE - 1, start + MINUTE - 1 + self.correction_step)[0]
        return first + version if 0 <= version < MINUTE // self.correction_step and volume == version + 10_000 else None

    def _pace(self, kind: str, symbol: str) -> tuple[int, int]:
        offset = ord(symbol[-1]) - ord("A")
        if kind == "T":
            return self.trade_step, offset
        if kind == "Q":
            return self.quote_step, offset
        if kind == "A":
            return SECOND, SECOND + BAR_DELAY + offset
        return self.correction_step, 7 * offset

    @staticmethod
    def _trade(symbol: str, number: int, emitted: int, mixed: int) -> Event:
        price = f"{10 + mixed % 50_000 / 100:.2f}"
        size, exchange, tape = 1 + mixed % 700, 1 + mixed % 19, 1 + mixed % 3
        exact = f"{size}.{1 + mixed % 9}" if mixed % 4 == 0 else str(size)
        conditions = f"[{mixed % 60},{mixed % 41}]" if mixed % 2 else None
        text = (
            f'{{"ev":"T","sym":"{symbol}","x":{exchange},"i":"{number}","z":{tape},"p":{price},"s":{size},"ds":"{exact}",'
            + (f'"c":{conditions},' if conditions else "")
            + f'"t":{emitted},"q":{number}}}'
        )
        columns = (decimal(price), exact, str(exchange), str(tape), str(number), conditions, str(number))
        return Event("T", symbol, number, emitted, emitted, emitted, text, columns)

    @staticmethod
    def _quote(symbol: str, number: int, emitted: int, mixed: int) -> Event:
        bid, ask = f"{10 + mixed % 50_000 / 100:.2f}", f"{10.01 + mixed % 50_000 / 100:.2f}"
        sizes = (1 + mixed % 90, 1 + mixed % 80)
        exchanges = (1 + mixed % 19, 1 + mixed % 17)
        text = (
            f'{{"ev":"Q","sym":"{symbol}","bx":{exchanges[0]},"bp":{bid},"bs":{sizes[0]},"ax":{exchanges[1]},"ap":{ask},'
            f'"as":{sizes[1]},"c":1,"t":{emitted},"q":{number},"z":3}}'
        )
        columns = (
            decimal(bid), str(sizes[0]), str(exchanges[0]), decimal(ask), str(sizes[1]), str(exchanges[1]), "1", "3",
            str(number),
        )
        return Event("Q", symbol, number, emitted, emitted, emitted, text, columns)

    @staticmethod
    def _bar(
        kind: str, symbol: str, number: int, emitted: int, start: int, length: int, mixed: int, volume: int
    ) -> Event:
        low = 1000 + mixed % 40_000
        prices = [f"{cents / 100:.2f}" for cents in (low + 7, low + 31, low, low + 19)]
        vwap, size = f"{(low + 11) / 100:.2f}", 1 + mixed % 300
        text = (
            f'{{"ev":"{kind}","sym":"{symbol}","v":{volume},"av":{volume * 9},"op":{prices[0]},"vw":{vwap},"o":{prices[0]},'
            f'"h":{prices[1]},"l":{prices[2]},"c":{prices[3]},"a":{vwap},"z":{size},"s":{start},"e":{start + length}}}'
        )
        columns = (
            *(decimal(price) for price in prices), str(volume), decimal(vwap), str(volume * 9), decimal(prices[0]),
            decimal(vwap), str(size),
        )
        return Event(kind, symbol, number, emitted, start, start + length, text, columns)


# The columns that an event settles, in the order of Event.columns; alike in the file and upstream.
COLUMNS = {
    "bars": ("open", "high", "low", "close", "volume", "vwap", "day_volume", "day_open", "day_vwap", "average_size"),
    "trades": ("price", "size", "exchange", "tape", "trade_id", "conditions", "sequence"),
    "quotes": ("bid", "bid_size", "bid_exchange", "ask", "ask_size", "ask_exchange", "condition", "tape", "sequence"),
}
