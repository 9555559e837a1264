"""How boxes are brought to rest, and what they say meanwhile."""

import re
from collections import defaultdict
from dataclasses import dataclass, field

from . import process
from .box import Box
from .life import Life
from .market import STREAMS

# Checks that are about rows; what another says, such as the feed's, is no word about what was lost.
ABOUT_ROWS = ("sync", "upload", "buffer", "ledger", "letters", "file")
# How `edgetick sync` names a stream of which rows wait, or are gone upstream; and remarks that don't say that rows wait.
NOT_ALL, GONE = "not all uploaded", "uploaded rows are gone"
NAMED = re.compile(rf"^edgetick: (?:the (\w+) are {NOT_ALL}: |(\w+): {GONE} )")
REMARKS = (
    "edgetick: warning: ", "see edgetick dead-letters list", "are not in the table after the upload",
    "while rows were sent; waiting up to",
)


@dataclass
class Settled:
    """How the boxes were left."""

    # What was said to a person that was not well, in words, and what the person then did.
    asked: list[str] = field(default_factory=list)
    # What each box still said at the end that is not well: its health, or a command that failed.
    told: dict[int, list[str]] = field(default_factory=lambda: defaultdict(list))
    # What `edgetick sync` said last of the rows of each stream that are in the box's file.
    last_words: dict[int, dict[str, str]] = field(default_factory=dict)
    # What did not come about in the time allowed, or must not have come about.
    late: list[str] = field(default_factory=list)
    # What a collector said of itself that doesn't agree with what else it said, or with what was found.
    contradictions: list[str] = field(default_factory=list)
    # What `edgetick verify` complained of.
    verified: list[str] = field(default_factory=list)


@dataclass
class State:
    """What a collector says of its upload."""

    pending: int
    letters: int
    needs_person: bool
    checks: dict[str, tuple[str, str]]

    @property
    def worst(self) -> str:
        """The worst level of all checks."""
        words = {word for word, _ in self.checks.values()}
        return next((word for word in ("failing", "degraded") if word in words), "ok")

    @property
    def problem(self) -> list[str]:
        """Checks about rows that are not ok, in words."""
        return [f"{name} {word}: {detail}" for name, (word, detail) in self.checks.items()
                if word != "ok" and name.startswith(ABOUT_ROWS)]


def read_state(box: Box) -> State | None:
    """What a collector says now; nothing when it doesn't answer."""
    answer = box.ask("/api/status")
    if answer is None:
        return None
    checks = {name: (check["status"], check["detail"]) for name, check in answer["health"]["checks"].items()}
    return State(
        answer["buffer"]["pending"] + answer["buffer"]["queued_events"], answer["buffer"]["dead_letters"],
        bool(answer["sync"].get("needs_person")), checks)


def words_of_streams(status: int, output: str) -> dict[str, str]:
    """What `edgetick sync` says of each stream. A failure that names none is about all."""
    words: dict[str, str] = defaultdict(str)
    lines = [line for line in output.splitlines() if line.startswith("edgetick: ")]
    for line in lines:
        if named := NAMED.search(line):
            words[named[1] or named[2]] += line
    if status != 0 and not any(NOT_ALL in text for text in words.values()):
        for line in lines:
            if not NAMED.search(line) and not any(remark in line for remark in REMARKS):
                for stream in set(STREAMS.values()):
                    words[stream] += f"{NOT_ALL}: {line}"
    return dict(words)


def start(life: Life, box: Box, settled: Settled) -> None:
    """Starts a box that doesn't run, and waits until it answers."""
    box.keep_alive()
    box.start()
    if not box.wait_until_ready():
        box.keep_alive()
        if not box.wait_until_ready():
            last = box.program.output.strip().splitlines()[-1:] if box.program else box.notes[-1:]
            settled.told[box.index].append(f"does not start: {''.join(last)[:400]}")


def drain(life: Life, box: Box, settled: Settled) -> None:
    """Waits until everything is upstream, or the collector asks for a person."""
    drained = asking = 0

    def is_done() -> bool:
        nonlocal drained, asking
        box.ask("/api/sync", "POST")
        state = read_state(box)
        if state is None:
            return not box.is_running
        # Several times alike: a sample may be half a second old, and what asked for a person may have been put right.
        drained = drained + 1 if state.pending == 0 else 0
        asking = asking + 1 if state.needs_person else 0
        return drained >= 4 or asking >= 12

    if not process.until(is_done, 40, life.stop, 0.3):
        state = read_state(box)
        settled.late.append(f"box {box.index} did not upload what waited within 40 s: {state}")
