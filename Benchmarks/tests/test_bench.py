"""A run fails for a row that misses its target or can't be measured; generated captures look real and never change."""

import json
import sqlite3
import subprocess
import sys
import tempfile
import unittest

from bench import generated
from bench.captures import Captures
from bench.row import NotMeasured
from bench.row_relay import check, identities
from bench.row_stream import rate
from bench.table import Result

RUN = """
import runpy, sys
from bench import rows
from bench.row import NotMeasured, Row
from bench.table import Result

def absent(context): raise NotMeasured("there is no disk")
def broken(context): return {}["figure"]

rows.ALL = [
    Row("fast", lambda context: Result("rows/s", [2.0], [1.0], "a limit", 1.0)),
    Row("slow", lambda context: Result("rows/s", [1.0], [2.0], "a limit", 1.0)),
    Row("late", lambda context: Result("ms", [3.0], most=2.0)),
    Row("empty", lambda context: Result("rows/s", [], [1.0], "a limit", 1.0)),
    Row("absent", absent),
    Row("broken", broken),
]
sys.argv = ["bench", *sys.argv[1:]]
runpy.run_module("bench", run_name="__main__")
"""


def run(row: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", RUN, "--row", row], capture_output=True, text=True)


class RunTests(unittest.TestCase):
    def test_a_row_that_reaches_its_target_ends_with_0(self) -> None:
        self.assertEqual(run("fast").returncode, 0)

    def test_every_row_that_is_missed_or_not_measured_is_named_and_ends_with_1(self) -> None:
        whole = run("")
        self.assertEqual(whole.returncode, 1)
        self.assertIn("missed: slow, late; not measured: empty, absent, broken", whole.stderr)
        self.assertIn("there is no disk", whole.stdout)

    def test_a_figure_has_to_be_within_its_bounds(self) -> None:
        self.assertEqual(Result("rows/s", [5.0], least=5.0).verdict, "reached")
        self.assertEqual(Result("rows/s", [5.0], [1.0], "a limit", least=6.0).verdict, "MISSED")
        self.assertEqual(Result("ms", [5.0], most=4.0).verdict, "MISSED")

    def test_a_limit_of_zero_is_never_reached(self) -> None:
        self.assertEqual(Result("rows/s", [5.0], [0.0], "a limit", 0.5).verdict, "MISSED")

    def test_rows_that_are_all_there_at_the_first_look_are_too_few_to_time(self) -> None:
        with tempfile.NamedTemporaryFile(suffix=".sqlite") as file:
            database = sqlite3.connect(file.name)
            database.execute("create table seen (number integer)")
            database.execute("insert into seen values (100)")
            database.commit()
            database.close()
            with self.assertRaises(NotMeasured):
                rate(file.name, "select max(number) from seen", 100, float("inf"))


class ReplayTests(unittest.TestCase):
    def test_a_hole_or_a_double_among_the_replayed_events_is_found(self) -> None:
        frames = [frame for kind in ("A", "T", "Q") for frame in generated.frames(kind, events=50)]
        day = [event for frame in frames for event in json.loads(frame)]
        sent = identities("".join(frames).encode())
        self.assertEqual(sum(map(len, sent.values())), len(day))

        def text(events: list) -> bytes:
            return json.dumps(events, separators=(",", ":")).encode()

        check(text(day), sent)
        check(text(day + day[:7]), sent)
        trade = next(number for number, event in enumerate(day) if event["ev"] == "T")
        for wrong in (day[:trade] + day[trade + 1:] + day, day[:trade + 1] + day[trade:], day[1:], day[:-1]):
            with self.assertRaises(RuntimeError):
                check(text(wrong), sent)


class GeneratedTests(unittest.TestCase):
    def test_the_same_seed_makes_the_same_bytes(self) -> None:
        for kind in generated.EVENTS:
            self.assertEqual(
                list(generated.frames(kind, events=500)), list(generated.frames(kind, events=500)), kind)

    def test_every_frame_is_an_array_of_whole_events_in_the_order_of_time(self) -> None:
        needed = {
            "T": {"ev", "sym", "x", "i", "z", "p", "s", "t", "q"},
            "Q": {"ev", "sym", "bx", "bp", "bs", "ax", "ap", "as", "t", "q", "z"},
            "A": {"ev", "sym", "v", "av", "op", "vw", "o", "c", "h", "l", "a", "z", "s", "e"},
        }
        for kind in generated.EVENTS:
            last = 0
            for frame in generated.frames(kind, events=2_000):
                for event in json.loads(frame):
                    self.assertEqual(event["ev"], kind)
                    self.assertLessEqual(needed.get(kind, needed["A"]), event.keys())
                    time = event["t" if kind in "TQ" else "s"]
                    self.assertGreaterEqual(time, last)
                    last = time

    def test_the_shapes_vary_as_the_feeds_do(self) -> None:
        trades = [event for frame in generated.frames("T", events=60_000) for event in json.loads(frame)]
        bars = [event for frame in generated.frames("A", events=30_000) for event in json.loads(frame)]
        text = "".join(generated.frames("T"))
        self.assertEqual({len(event["sym"].split(".")[0]) for event in trades}, {1, 2, 3, 4, 5})
        self.assertTrue(any("." in event["sym"] for event in trades))
        for field in ("ds", "c", "trfi"):
            share = sum(field in event for event in trades) / len(trades)
            self.assertTrue(0.01 < share < 0.99, field)
        for field in ("dv", "dav", "otc"):
            share = sum(field in event for event in bars) / len(bars)
            self.assertTrue(0.001 < share < 0.99, field)
        self.assertRegex(text, r'"p":\d(\.\d+)?e-?\d+,')

    def test_captures_are_written_once_and_counted(self) -> None:
        with tempfile.TemporaryDirectory() as place:
            captures = Captures(place)
            captures._real = lambda kind: []
            self.assertGreaterEqual(captures.count(["AM"]), generated.EVENTS["AM"])
            self.assertEqual(captures.paths("AM"), captures.paths("AM"))
            frames = captures.frames(["AM"], 100, 1_000)
            self.assertEqual([len(json.loads(frame)) for frame in frames], [100] * 10)


if __name__ == "__main__":
    unittest.main()
