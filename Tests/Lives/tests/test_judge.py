"""The judge notices every kind of fault; a sequence depends on its seed alone."""

import unittest

from urllib.parse import urlsplit

from lives import sequence
from lives.feed import Feed
from lives.judge import Verdict, judge
from lives.ledger import CORRECTION, FILL, FOREVER, Drop, File, Gap, Upstream, recognise
from lives.market import KINDS, MINUTE, Market, symbols
from lives.outcome import words_of_streams
from lives.rest import PAGE_OF_TICKS, Rest

MARKET = Market()
OPENED = 1_795_630_020_000
CLOSED = OPENED + 3_000
SYMBOL = symbols(0)[0]
FIRST = {(kind, SYMBOL): OPENED for kind in KINDS}


class JudgeTests(unittest.TestCase):
    def setUp(self) -> None:
        """A round in which everything arrived."""
        self.upstream, self.file = Upstream(), File(box=0)
        self.versions: dict[tuple[str, int], int] = {}
        sequences = dict.fromkeys(KINDS, 0)
        for kind in KINDS:
            for number in MARKET.numbers(kind, SYMBOL, OPENED, CLOSED):
                sequences[kind] += 1
                self.file.rows[kind, SYMBOL, number].append(sequences[kind])
                event = MARKET.event(kind, SYMBOL, number)
                if kind == "AM":
                    self.upstream.minutes[SYMBOL, event.start] = number
                else:
                    self.upstream.counts[kind, SYMBOL, number] += 1
        self.file.acknowledged = {"bars": 1000, "trades": 1000, "quotes": 1000}
        self.some = MARKET.numbers("T", SYMBOL, OPENED, CLOSED)[50]
        self.event = MARKET.event("T", SYMBOL, self.some)

    def verdict(self, last_words: dict[int, dict[str, str]] = {}) -> Verdict:
        return judge(MARKET, FIRST, CLOSED, self.upstream, [self.file], last_words, set(), self.versions)

    def lose(self, in_file: bool) -> None:
        del self.upstream.counts["T", SYMBOL, self.some]
        if not in_file:
            del self.file.rows["T", SYMBOL, self.some]

    def test_a_round_in_which_everything_arrived_is_clean(self) -> None:
        verdict = self.verdict()
        self.assertTrue(verdict.is_clean)
        self.assertEqual(verdict.due, verdict.upstream)

    def test_an_event_that_is_nowhere_is_lost_in_silence(self) -> None:
        self.lose(in_file=False)
        self.assertEqual((self.verdict().lost, self.verdict().silent), (1, 1))

    def test_a_row_that_is_acknowledged_and_not_upstream_is_lost_whatever_gaps_say(self) -> None:
        self.lose(in_file=True)
        self.file.gaps.append(Gap(frozenset("*"), frozenset(KINDS), OPENED, CLOSED))
        self.assertEqual(self.verdict().lost, 1)

    def test_a_loss_is_told_when_its_own_box_says_so_of_its_stream_and_row(self) -> None:
        self.lose(in_file=True)
        (sequence,) = self.file.rows["T", SYMBOL, self.some]
        waits = "edgetick: the {} are not all uploaded: connect to 127.0.0.1: refused"
        gone = "edgetick: {}: uploaded rows are gone from the table: of 9 rows checked, none was found"
        proven = "edgetick: the {} are not all uploaded: rows through 1000 are recorded as uploaded, but the ledger proves only"
        for box, words, acknowledged, told in (
            (0, waits.format("trades"), sequence - 1, 1), (0, waits.format("trades"), sequence, 0),
            (0, waits.format("quotes"), sequence - 1, 0), (1, waits.format("trades"), sequence - 1, 0),
            (0, "edgetick: connect to 127.0.0.1: refused", sequence - 1, 1),
            (0, "edgetick: 3 rows were refused; see edgetick dead-letters list", sequence - 1, 0),
            (0, "edgetick: the connection was lost while rows were sent; waiting up to 2 minutes for the server: ended\n"
                "edgetick: 3 rows were refused; see edgetick dead-letters list", sequence - 1, 0),
            (0, gone.format("trades"), sequence, 1), (0, gone.format("quotes"), sequence, 0),
            (0, f"{proven.format('trades')} those through {sequence - 1}; of", sequence, 1),
            (0, f"{proven.format('trades')} those through {sequence}; of", sequence, 0),
        ):
            self.file.acknowledged["trades"] = acknowledged
            self.file.gone = {"trades": sequence, "quotes": 1000}
            verdict = self.verdict({box: words_of_streams(65, f"uploaded 0 rows\n{words}\n")})
            silent = 0 if told or "trades" in words else 1
            self.assertEqual((verdict.lost, verdict.told, verdict.silent), (1 - told, told, silent), words)
        self.file.gone["trades"] = sequence - 1
        self.assertEqual(self.verdict({0: words_of_streams(0, gone.format("trades"))}).told, 0)

    def test_a_loss_that_is_in_no_file_is_told_by_no_words(self) -> None:
        self.lose(in_file=False)
        self.assertEqual(self.verdict({0: words_of_streams(69, "edgetick: connect to 127.0.0.1: refused")}).lost, 1)

    def test_a_gap_explains_by_event_time_symbol_and_kind(self) -> None:
        self.lose(in_file=False)
        time = self.event.start
        for gap, lost in (
            (Gap(frozenset([SYMBOL]), frozenset("T"), time, time), 0),
            (Gap(frozenset([SYMBOL]), frozenset("T"), time - 5, FOREVER), 0),
            (Gap(frozenset([SYMBOL]), frozenset("T"), time + 1, time + 900), 1),
            (Gap(frozenset([SYMBOL]), frozenset("Q"), time - 5, time + 5), 1),
            (Gap(frozenset(["OTHER"]), frozenset("T"), time - 5, time + 5), 1),
        ):
            self.file.gaps = [gap]
            self.assertEqual(self.verdict().lost, lost, gap)

    def test_a_gap_that_is_said_to_be_filled_explains_nothing(self) -> None:
        self.lose(in_file=False)
        for symbol, is_filled, filled, lost in (
            (SYMBOL, False, (), 0), (SYMBOL, True, (), 1), ("*", True, (), 0), ("*", True, [("T", SYMBOL)], 1),
            (SYMBOL, False, [("T", SYMBOL)], 1), (SYMBOL, False, [("Q", SYMBOL), ("T", "OTHER")], 0),
        ):
            self.file.gaps = [Gap(
                frozenset([symbol]), frozenset("T"), OPENED, CLOSED, is_filled=is_filled, filled=frozenset(filled))]
            self.assertEqual(self.verdict().lost, lost)

    def test_a_filled_gap_explains_an_older_version_of_a_minute_bar_only_if_the_bar_began_in_it(self) -> None:
        newest = MARKET.numbers("AM", SYMBOL, OPENED, CLOSED)[-1]
        start = MARKET.event("AM", SYMBOL, newest).start
        del self.file.rows["AM", SYMBOL, newest]
        self.upstream.minutes[SYMBOL, start] = newest - 1
        for first, lost in ((start, 0), (OPENED, 1)):
            self.file.gaps = [Gap(frozenset([SYMBOL]), frozenset(["AM"]), first, CLOSED, is_filled=True)]
            self.assertEqual(self.verdict().lost, lost)
        self.file.deleted["bars"] = 1
        self.assertEqual(self.verdict().lost, 0)

    def test_a_newer_fill_in_the_file_explains_an_older_version_of_the_stream_and_not_an_older_fill(self) -> None:
        newest = MARKET.numbers("AM", SYMBOL, OPENED, CLOSED)[-1]
        start = MARKET.event("AM", SYMBOL, newest).start
        del self.file.rows["AM", SYMBOL, newest]
        self.upstream.minutes[SYMBOL, start] = newest - 1
        self.file.minutes[SYMBOL, start], self.file.fills = (newest + 1, 900), {900}
        for source, lost in ((None, 0), (CORRECTION, 0), (FILL, 1)):
            self.upstream.sources = {("AM", SYMBOL, newest - 1): source} if source else {}
            self.assertEqual(self.verdict().lost, lost)

    def test_a_gap_that_can_not_be_read_explains_where_an_incident_says_so(self) -> None:
        self.lose(in_file=False)
        self.file.lacks_gaps = True
        self.assertEqual(self.verdict().lost, 0)

    def test_a_drop_and_a_dead_letter_explain_the_row_that_they_name(self) -> None:
        self.lose(in_file=True)
        (sequence,) = self.file.rows["T", SYMBOL, self.some]
        self.file.drops = [Drop("trades", SYMBOL, "full", None, None, (sequence + 1, sequence + 9))]
        self.assertEqual(self.verdict().lost, 1)
        self.file.drops = [Drop("trades", SYMBOL, "full", None, None, (sequence, sequence))]
        self.assertEqual(self.verdict().lost, 0)
        self.file.drops, self.file.letters = [], {("trades", sequence)}
        self.assertEqual(self.verdict().lost, 0)

    def test_an_event_that_is_upstream_twice_is_doubled(self) -> None:
        self.upstream.counts["T", SYMBOL, self.some] += 1
        self.assertEqual((self.verdict().doubled, self.verdict().silent), (1, 1))

    def test_an_older_version_of_a_minute_bar_does_not_excuse_the_newest(self) -> None:
        numbers = MARKET.numbers("AM", SYMBOL, OPENED, CLOSED)
        self.upstream.minutes[SYMBOL, MARKET.event("AM", SYMBOL, numbers[-1]).start] = numbers[-2]
        self.assertEqual(self.verdict().lost, 1)

    def test_an_older_version_in_a_newer_one_s_place_is_wrong_whatever_gaps_say(self) -> None:
        newest = MARKET.numbers("AM", SYMBOL, OPENED, CLOSED)[-1]
        start = MARKET.event("AM", SYMBOL, newest).start
        self.versions[SYMBOL, start] = newest
        self.assertEqual(self.verdict().wrong, 0)
        self.upstream.minutes[SYMBOL, start] = newest - 1
        self.file.gaps = [Gap(frozenset("*"), frozenset(KINDS), OPENED, CLOSED)]
        self.assertEqual(self.verdict().wrong, 1)

    def test_a_row_of_an_event_that_was_never_due_is_wrong(self) -> None:
        self.upstream.counts["T", SYMBOL, MARKET.numbers("T", SYMBOL, CLOSED, CLOSED + 100)[-1]] += 1
        self.assertEqual(self.verdict().wrong, 1)

    def test_only_what_came_by_rest_may_be_older_than_the_subscription(self) -> None:
        early = MARKET.numbers("T", SYMBOL, OPENED - 100, OPENED)[0]
        self.upstream.counts["T", SYMBOL, early] += 1
        self.assertEqual(self.verdict().wrong, 1)
        self.upstream.sources["T", SYMBOL, early] = FILL
        self.assertEqual((self.verdict().wrong, self.verdict().filled), (0, 1))

    def test_a_gap_far_out_of_the_round_is_counted(self) -> None:
        self.file.gaps.append(Gap(frozenset("*"), frozenset(KINDS), OPENED - 400 * 1440 * MINUTE, CLOSED))
        self.assertEqual(self.verdict().wild, 1)


class RowTests(unittest.TestCase):
    def test_every_event_is_recognised_by_its_row_and_no_changed_column_is(self) -> None:
        for kind in KINDS:
            for number in MARKET.numbers(kind, SYMBOL, OPENED, CLOSED):
                event = MARKET.event(kind, SYMBOL, number)
                values = list(event.columns)
                self.assertEqual(recognise(MARKET, kind, SYMBOL, event.start, values), event)
                values[0] = "0.5"
                self.assertIsInstance(recognise(MARKET, kind, SYMBOL, event.start, values), str)
                self.assertIsInstance(recognise(MARKET, kind, SYMBOL, event.start + 1, list(event.columns)), str)

    def test_a_bar_from_rest_has_no_columns_of_the_day(self) -> None:
        event = MARKET.event("A", SYMBOL, MARKET.numbers("A", SYMBOL, OPENED, CLOSED)[0])
        values = [*event.columns[:6], None, None, None, None]
        self.assertEqual(recognise(MARKET, "A", SYMBOL, event.start, values, is_from_rest=True), event)
        self.assertIsInstance(recognise(MARKET, "A", SYMBOL, event.start, values), str)


class RestTests(unittest.TestCase):
    def setUp(self) -> None:
        self.feed = Feed(MARKET, None, 0)
        self.feed.opened, self.feed.closed = OPENED, CLOSED

    def ask(self, route: str, first: int, end: int) -> list[dict]:
        """All results of all pages."""
        rest, results = Rest(self.feed, has_ticks=True), []
        target = f"/v3/{route}/{SYMBOL}?timestamp.gte={first}000000&timestamp.lt={end}000000&order=asc&limit=50000"
        while target:
            status, answer = rest._answer(target)
            self.assertEqual((status, answer["status"]), ("200 OK", "OK"))
            self.assertLessEqual(len(answer["results"]), PAGE_OF_TICKS)
            results += answer["results"]
            link = urlsplit(answer.get("next_url", ""))
            target = f"{link.path}?{link.query}" if link.path else ""
        return results

    def test_the_ticks_of_a_span_come_once_each_and_as_the_stream_has_them(self) -> None:
        self.feed.closed = OPENED + 10_000
        for route, kind in (("trades", "T"), ("quotes", "Q")):
            results = self.ask(route, OPENED + 40, OPENED + 9_000)
            numbers = [result["sequence_number"] for result in results]
            self.assertEqual(numbers, list(MARKET.numbers(kind, SYMBOL, OPENED + 39, OPENED + 8_999)))
            self.assertGreater(len(numbers), PAGE_OF_TICKS if kind == "T" else 0)
            for result in results:
                event = MARKET.event(kind, SYMBOL, result["sequence_number"])
                self.assertEqual(result["sip_timestamp"] // 1_000_000, event.start)
                values = [
                    *(result[name] for name in ("price", "size", "exchange", "tape", "id")),
                    str(result["conditions"]).replace(" ", "") if "conditions" in result else None,
                ] if kind == "T" else [
                    *(result[f"{side}_{name}"] for side in ("bid", "ask") for name in ("price", "size", "exchange")),
                    result["conditions"][0], result["tape"],
                ]
                self.assertEqual(recognise(MARKET, kind, SYMBOL, event.start, [*values, event.number]), event)

    def test_nothing_comes_from_before_the_market_or_after_now(self) -> None:
        numbers = [result["sequence_number"] for result in self.ask("trades", OPENED - 9_000, CLOSED + 9_000)]
        self.assertEqual(numbers, list(MARKET.numbers("T", SYMBOL, OPENED, CLOSED)))

    def test_a_plan_without_ticks_is_refused_them(self) -> None:
        status, _ = Rest(self.feed, has_ticks=False)._answer(f"/v3/trades/{SYMBOL}?timestamp.gte=0&timestamp.lt=1&limit=9")
        self.assertTrue(status.startswith("403"))


class SequenceTests(unittest.TestCase):
    def test_a_seed_makes_the_same_round_again(self) -> None:
        self.assertEqual(sequence.make(7), sequence.make(7))
        self.assertNotEqual(sequence.make(7).steps, sequence.make(8).steps)

    def test_every_kind_comes_often_enough_in_five_hundred_rounds(self) -> None:
        steps = [step.kind for seed in range(1, 501) for step in sequence.make(seed).steps]
        for kind in sequence.KINDS:
            self.assertGreaterEqual(steps.count(kind), 30, kind)

    def test_about_half_of_the_rounds_fill_gaps_and_only_these_let_a_night_pass(self) -> None:
        rounds = [sequence.make(seed) for seed in range(1, 501)]
        self.assertTrue(200 < sum(plan.fills for plan in rounds) < 300)
        for plan in rounds:
            self.assertTrue(plan.fills or "night" not in {step.kind for step in plan.steps})
            self.assertEqual(plan.settings.get("BACKFILL_ENABLED") == "true", plan.fills)
            self.assertTrue(plan.has_ticks or not plan.fills)

    def test_a_kind_that_is_left_out_does_not_come(self) -> None:
        without = frozenset({"fill", "clock"})
        self.assertFalse(without & {step.kind for seed in range(200) for step in sequence.make(seed, without).steps})
