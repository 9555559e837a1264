"""A made-up market in the feed's shapes, as varied as the real one, and the same bytes each time.

Symbols have one to five letters and sometimes a dot; prices have up to four decimals; volumes are whole or have a
fraction of a share; trades carry conditions, report numbers and their times or do without; a number in exponent form
comes now and then; a frame holds one event or many.
"""

import random
import string
from typing import Callable, Iterator

SEED = 20251008
SYMBOLS = 900
# As many events as a day of four real symbols has.
EVENTS = {"AM": 6_000, "A": 48_000, "T": 600_000, "Q": 1_500_000}
START = 1_759_930_200_000  # 2025-10-08 09:30 in New York, in Unix milliseconds
EXPONENTS = 20_000  # one number in so many is written in exponent form
CONDITIONS = ([37], [37], [14, 41], [14, 37, 41], [12, 37], [52], [2], [10, 41], [53], [15], [0])


class Stock:
    """A symbol's price and day so far."""

    def __init__(self, symbol: str, chance: random.Random) -> None:
        self.symbol = symbol
        self.is_otc = len(symbol) == 5 and symbol[-1] in "FY"
        self.ticks = 100 if chance.random() < 0.95 else 10_000  # of a dollar; penny stocks trade in finer ones
        self.price = int(self.ticks * chance.lognormvariate(3.5 if self.ticks == 100 else -1, 1)) + 5
        self.open = self.price
        self.volume, self.dollars = 0, 0.0
        self.tape = 3 if len(symbol) > 3 else chance.choice((1, 2))
        self.trades = 0

    def step(self, chance: random.Random) -> float:
        """The next price."""
        self.price = max(1, self.price + chance.choice((-2, -1, -1, 0, 0, 0, 0, 1, 1, 2)))
        return self.price / self.ticks


def symbols(count: int = SYMBOLS) -> list[str]:
    """Names as exchanges give them, in the order of how much they trade."""
    chance = random.Random(f"{SEED}-symbols")
    names: dict[str, None] = {}
    while len(names) < count:
        length = chance.choices((1, 2, 3, 4, 5), (2, 8, 35, 45, 10))[0]
        name = "".join(chance.choices(string.ascii_uppercase, k=length))
        if length < 5 and chance.random() < 0.03:
            name += "." + chance.choice(("A", "B", "U", "WS"))
        names[name] = None
    return list(names)


def number(value: float, chance: random.Random) -> str:
    """A number as short as it can be, or, now and then, in exponent form."""
    if chance.randrange(EXPONENTS) > 0:
        return f"{value:.10g}"
    digits, power = f"{value:.9e}".split("e")
    return f"{digits.rstrip('0').rstrip('.')}e{int(power)}"


def frames(kind: str, names: list[str] | None = None, events: int | None = None) -> Iterator[str]:
    """Frames of AM, A, T or Q, until there are at least so many events, in the order of their times."""
    names = names or symbols()
    chance = random.Random(f"{SEED}-{kind}-{names[0]}")
    stocks = [Stock(name, chance) for name in names]
    make = {"T": _trade, "Q": _quote}.get(kind)
    left = events or EVENTS[kind]
    for group in _ticks(make, stocks, chance) if make else _bars(kind, stocks, chance):
        yield "[" + ",".join(group) + "]"
        left -= len(group)
        if left <= 0:
            return


def _bars(kind: str, stocks: list[Stock], chance: random.Random) -> Iterator[list[str]]:
    """Window after window: the bars of the stocks that traded. Minutes come in bursts, seconds a few a frame."""
    length, share, sizes = (60_000, 0.9, (1, 4, 20, 60, 100)) if kind == "AM" else (1_000, 0.15, (1, 1, 2, 3, 4))
    start = START
    while True:
        bars = [_bar(kind, stock, start, length, chance) for stock in stocks if chance.random() < share]
        while bars:
            size = chance.choice(sizes)
            yield bars[:size]
            bars = bars[size:]
        start += length


def _bar(kind: str, stock: Stock, start: int, length: int, chance: random.Random) -> str:
    prices = [stock.step(chance) for _ in range(4)]
    volume = chance.choice((1, 20, 100, 100, 100, 300, 1_200)) * chance.randrange(1, 60)
    vwap = round(sum(prices) / 4, 4)
    stock.volume += volume
    stock.dollars += volume * vwap
    # Fractional shares: the exact volumes are sent beside the rounded ones.
    fraction = chance.randrange(1, 1_000_000) if chance.random() < 0.2 else 0
    exact = f',"dv":"{volume}.{fraction:06d}"' if fraction else ""
    exact_day = f',"dav":"{stock.volume}.{fraction:06d}"' if fraction else ""
    otc = ',"otc":true' if stock.is_otc else ""
    return (
        f'{{"ev":"{kind}","sym":"{stock.symbol}","v":{number(volume, chance)}{exact},"av":{stock.volume}{exact_day},'
        f'"op":{number(stock.open / stock.ticks, chance)},"vw":{number(vwap, chance)},"o":{number(prices[0], chance)},'
        f'"c":{number(prices[3], chance)},"h":{number(max(prices), chance)},"l":{number(min(prices), chance)},'
        f'"a":{number(round(stock.dollars / stock.volume, 4), chance)},"z":{chance.randrange(1, 400)},'
        f'"s":{start},"e":{start + length}{otc}}}')


def _ticks(
        make: Callable[[Stock, int, int, random.Random], str], stocks: list[Stock], chance: random.Random
) -> Iterator[list[str]]:
    """Bursts, one to a few hundred trades or quotes a frame; a few stocks have most of them."""
    # Far more than there are events a round: drawn once, since a draw by weight is slow.
    popular = chance.choices(stocks, [1 / (rank + 3) for rank in range(len(stocks))], k=1 << 16)
    time, sequence = START, 0
    while True:
        group = []
        for _ in range(min(300, 1 + int(chance.expovariate(0.1)))):
            sequence += chance.randrange(1, 4)
            group.append(make(popular[chance.randrange(1 << 16)], time, sequence, chance))
            time += chance.random() < 0.3
        yield group
        time += chance.randrange(1, 12)


def _trade(stock: Stock, time: int, sequence: int, chance: random.Random) -> str:
    stock.trades += 1
    price = stock.step(chance)
    draw = chance.random()
    if draw < 0.1:
        price = round(price + 0.0001 * chance.randrange(1, 100), 4)  # inside the spread, off the exchanges
    size = chance.randrange(1, 100) if draw < 0.55 else 100 * chance.randrange(1, 9)
    exact = f',"ds":"{size}.{chance.randrange(1, 10_000):04d}"' if draw < 0.04 else ""
    conditions = "" if draw < 0.35 else f',"c":{chance.choice(CONDITIONS)}'.replace(" ", "")
    report = f',"trfi":{chance.choice((201, 202, 203))},"trft":{time - chance.randrange(0, 9)}' if draw < 0.4 else ""
    exchange = 4 if report else chance.choice((1, 7, 8, 10, 11, 12, 15, 19, 20))
    return (
        f'{{"ev":"T","sym":"{stock.symbol}","x":{exchange},"i":"{stock.trades}","z":{stock.tape},'
        f'"p":{number(price, chance)},"s":{size}{exact}{conditions},"t":{time},"q":{sequence}{report}}}')


def _quote(stock: Stock, time: int, sequence: int, chance: random.Random) -> str:
    bid = stock.step(chance)
    ask = round(bid + chance.choice((1, 1, 1, 2, 5)) / stock.ticks, 4)
    exchanges = [chance.choice((1, 7, 8, 10, 11, 12, 15, 19, 20)) for _ in range(2)]
    sizes = [100 * chance.randrange(1, 40) for _ in range(2)]
    condition = f',"c":{chance.choice((0, 1, 1, 1))}' if chance.random() < 0.9 else ""
    indicators = ',"i":[604]' if chance.random() < 0.05 else ""
    return (
        f'{{"ev":"Q","sym":"{stock.symbol}","bx":{exchanges[0]},"bp":{number(bid, chance)},"bs":{sizes[0]},'
        f'"ax":{exchanges[1]},"ap":{number(ask, chance)},"as":{sizes[1]}{condition}{indicators},"t":{time},'
        f'"q":{sequence},"z":{stock.tape}}}')
