"""The judge notices every kind of fault; a sequence depends on its seed alone."""

import unittest

from lives import sequence
from lives.judge import Verdict, judge
from lives.ledger import FOREVER, Drop, File, Gap, Upstream, recognise
from lives.market import KINDS, MINUTE, Market, symbols

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

    def verdict(self, told: dict[int, list[str]] = {}) -> Verdict:
        return judge(MARKET, FIRST, CLOSED, self.upstream, [self.file], told, set(), self.versions)

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

    def test_a_loss_is_told_when_its_own_collector_says_so_at_the_end(self) -> None:
        self.lose(in_file=True)
        verdict = self.verdict(told={0: ["sync degraded"]})
        self.assertEqual((verdict.lost, verdict.told, verdict.silent), (0, 1, 0))
        self.assertEqual(self.verdict(told={1: ["sync degraded"]}).silent, 1)

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

    def test_a_gap_that_is_said_to_be_filled_explains_no_missing_bar(self) -> None:
        second = MARKET.numbers("A", SYMBOL, OPENED, CLOSED)[1]
        del self.upstream.counts["A", SYMBOL, second]
        del self.file.rows["A", SYMBOL, second]
        for is_filled, lost in ((False, 0), (True, 1)):
            self.file.gaps = [Gap(frozenset([SYMBOL]), frozenset("A"), OPENED, CLOSED, is_filled=is_filled)]
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


class SequenceTests(unittest.TestCase):
    def test_a_seed_makes_the_same_round_again(self) -> None:
        self.assertEqual(sequence.make(7), sequence.make(7))
        self.assertNotEqual(sequence.make(7).steps, sequence.make(8).steps)

    def test_every_kind_comes_often_enough_in_five_hundred_rounds(self) -> None:
        steps = [step.kind for seed in range(1, 501) for step in sequence.make(seed).steps]
        for kind in sequence.KINDS:
            self.assertGreaterEqual(steps.count(kind), 30, kind)

    def test_a_kind_that_is_left_out_does_not_come(self) -> None:
        without = frozenset({"fill", "clock"})
        self.assertFalse(without & {step.kind for seed in range(200) for step in sequence.make(seed, without).steps})
