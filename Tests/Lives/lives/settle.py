"""The end of a round: what heals by itself heals, and where a collector asks for a person, a person does what it says."""

import glob
import os
import re
import shutil
from collections import defaultdict
from dataclasses import dataclass, field

from .box import Box
from .life import Life
from . import actions, ledger, process
from .market import STREAMS

# What a person may be asked to run, as the errors spell it.
COMMANDS = {
    "again": re.compile(r"edgetick sync --again"),
    "repair": re.compile(r"edgetick repair --force"),
    "set aside": re.compile(r"edgetick repair --file"),
}
# Or to start the collector again.
RESTART = re.compile(r"restart|start (it|the collector) again")
# Checks that are about rows; what another says, such as the feed's, is no word about what was lost.
ABOUT_ROWS = ("sync", "upload", "buffer", "ledger", "letters", "file")
# Exit codes of `edgetick status --check`, and that of a version that doesn't know it.
CHECK_WORDS = {0: "ok", 1: "degraded", 2: "failing", 3: "not running"}


@dataclass
class Settled:
    """How the boxes were left."""

    # What was said to a person that was not well, in words, and what the person then did.
    asked: list[str] = field(default_factory=list)
    # What each box still said at the end that is not well: its health, or a command that failed.
    told: dict[int, list[str]] = field(default_factory=lambda: defaultdict(list))
    # What did not come about in the time allowed, or must not have come about.
    late: list[str] = field(default_factory=list)
    # What a collector said of itself that doesn't agree with what else it said, or with what was found.
    contradictions: list[str] = field(default_factory=list)
    # What `edgetick verify` complained of.
    verified: list[str] = field(default_factory=list)


def settle(life: Life) -> Settled:
    """Brings a round to its end; all boxes are stopped then."""
    settled = Settled(late=life.broken)
    _heal(life)
    for box in life.boxes:
        _start(life, box, settled)
    subscribed = process.until(
        lambda: all(_is_subscribed(life, box) for box in life.boxes if box.is_running), 60, life.stop, 0.1)
    if not subscribed:
        settled.late.append("not every channel was subscribed again within 60 s")
    # A fresh event of every kind makes it through.
    life.sleep(1.3)
    closed = life.feed.close_market()
    life.note(f"the market closed at {closed}")
    running = [box for box in life.boxes if box.is_running]
    if not process.until(lambda: all(life.feed.is_drained(box.key) for box in running), 15, life.stop, 0.05):
        settled.late.append("what was sent was not read within 15 s")
    for box in life.boxes:
        _drain(life, box, settled)
    _truncate(life, settled)
    for box in life.boxes:
        for _ in range(3):
            if not _obey(life, box, settled):
                break
    for box in life.boxes:
        _leave(life, box, settled)
    return settled


def _heal(life: Life) -> None:
    for wire in life.feed.wires.values():
        wire.lag, wire.held, wire.refusing = 0.0, False, False
    life.refusal = None
    life.database.accept()
    life.line.mend()
    if life.disk:
        life.disk.empty()
    for box in life.boxes:
        box.thaw()
        box.step_clock(0)


def _truncate(life: Life, settled: Settled) -> None:
    """Empties tables of which everything is upstream. A collector that connects looks whether what it uploaded is there."""
    if not life.to_truncate:
        return
    for table in sorted(life.to_truncate):
        actions.empty_table(life, table, life.emptied)
    for box in life.boxes:
        box.end()
        _start(life, box, settled)
    process.until(lambda: all(_has_trouble(box) for box in life.boxes), 6, life.stop, 0.3)


def _has_trouble(box: Box) -> bool:
    state = _state(box)
    return state is not None and bool(state.trouble)


def _start(life: Life, box: Box, settled: Settled) -> None:
    box.keep_alive()
    box.start()
    if not box.wait_until_ready():
        box.keep_alive()
        if not box.wait_until_ready():
            last = box.program.output.strip().splitlines()[-1:] if box.program else box.notes[-1:]
            settled.told[box.index].append(f"does not start: {''.join(last)[:400]}")


def _is_subscribed(life: Life, box: Box) -> bool:
    wire = life.feed.wire(box.key)
    return any(len(session.cursors) == 4 * len(box.symbols) for session in wire.sessions)


@dataclass
class _State:
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
    def trouble(self) -> list[str]:
        """Checks about rows that are not ok, in words."""
        return [f"{name} {word}: {detail}" for name, (word, detail) in self.checks.items()
                if word != "ok" and name.startswith(ABOUT_ROWS)]


def _state(box: Box) -> _State | None:
    answer = box.ask("/api/status")
    if answer is None:
        return None
    checks = {name: (check["status"], check["detail"]) for name, check in answer["health"]["checks"].items()}
    return _State(
        answer["buffer"]["pending"] + answer["buffer"]["queued_events"], answer["buffer"]["dead_letters"],
        bool(answer["sync"].get("needs_person")), checks)


def _drain(life: Life, box: Box, settled: Settled) -> None:
    """Waits until everything is upstream, or the collector asks for a person."""
    drained = asking = 0

    def is_done() -> bool:
        nonlocal drained, asking
        box.ask("/api/sync", "POST")
        state = _state(box)
        if state is None:
            return not box.is_running
        # Several times alike: a sample may be half a second old, and what asked for a person may have been put right.
        drained = drained + 1 if state.pending == 0 else 0
        asking = asking + 1 if state.needs_person else 0
        return drained >= 4 or asking >= 12

    if not process.until(is_done, 40, life.stop, 0.3):
        state = _state(box)
        settled.late.append(f"box {box.index} did not upload what waited within 40 s: {state}")


def _obey(life: Life, box: Box, settled: Settled) -> bool:
    """Does what a collector that asks for a person says; whether it asked for something that could be done."""
    state = _state(box)
    if state is None or not (state.trouble or state.letters):
        return False
    words = "; ".join(state.trouble) or f"{state.letters} dead letters"
    settled.asked.append(f"box {box.index}: {words}"[:600])
    command = _command(words, state)
    if command is None:
        return False
    box.end()
    status, output = 0, "started again"
    if command == AGAIN:
        status, output = _send_again(life, box, words)
    elif command:
        status, output = _save_set_aside(box) if command == SAVE else box.run(*command)
    life.note(f"box {box.index} asked ({words[:200]}): edgetick {' '.join(command)}: {status}: {output.strip()[-300:]}")
    settled.asked[-1] += f" → edgetick {' '.join(command)}: {status}"
    _start(life, box, settled)
    _drain(life, box, settled)
    return True


SAVE = ["repair", "--file"]
AGAIN = ["sync", "--again"]


def _command(words: str, state: _State) -> list[str] | None:
    if COMMANDS["again"].search(words):
        return AGAIN
    if COMMANDS["repair"].search(words):
        return ["repair", "--force"]
    if COMMANDS["set aside"].search(words):
        return SAVE
    if state.letters:
        return ["dead-letters", "retry", "--all"]
    return [] if RESTART.search(words) else None


def _send_again(life: Life, box: Box, words: str) -> tuple[int, str]:
    """Looks from where on a stream's rows are missing upstream, and has them sent again from there."""
    file = ledger.read_file(life.sequence.market, box.index, box.data)
    there = ledger.read_upstream(life.sequence.market, life.database).counts
    outputs, worst = [], 0
    for stream in ("bars", "trades", "quotes"):
        if f"{stream}: " not in words:
            continue
        # Bars are never doubled.
        found = [sequence for name, sequences in file.rows.items() if STREAMS[name[0]] == stream and stream != "bars"
                 for sequence in sequences if there[name]]
        status, output = box.run("sync", "--again", "--stream", stream, "--from", str(max(found, default=0) + 1), "--yes")
        outputs.append(f"--stream {stream} --from {max(found, default=0) + 1}: {status}: {output.strip()[-300:]}")
        worst = worst or status
    return worst, "\n".join(outputs)


def _save_set_aside(box: Box) -> tuple[int, str]:
    """Saves what can be read of each file that was set aside, uploads it, and moves the file away."""
    outputs, worst = [], 0
    aside = os.path.join(box.place, "aside")
    os.makedirs(aside, exist_ok=True)
    for path in sorted(glob.glob(os.path.join(box.data, "ticks-bad-*.sqlite"))):
        status, output = box.run("repair", "--file", path)
        if match := re.search(r"EDGETICK_DATA_DIR=(\S+)", output):
            sync = process.finish(
                [box.tools.edgetick, "sync"], box.environment | {"EDGETICK_DATA_DIR": match[1].strip("'`")}, box.place, 60)
            output += sync[1]
            status = status or sync[0]
        for file in glob.glob(glob.escape(path) + "*"):
            shutil.move(file, os.path.join(aside, os.path.basename(file)))
        outputs.append(output)
        worst = worst or status
    return worst, "\n".join(outputs)


def _leave(life: Life, box: Box, settled: Settled) -> None:
    """Stops a box; what it says then, and what `edgetick sync` says, is the last word."""
    state = _state(box)
    if state:
        _check(box, settled)
        settled.told[box.index] += [words[:600] for words in state.trouble]
    if box.is_running:
        status = box.end()
        if status != 0:
            settled.told[box.index].append(f"was stopped and ended with {status}")
    status, output = box.run("backfill")
    if status != 0:
        settled.told[box.index].append(f"edgetick backfill ended with {status}: {output.strip()[-500:]}")
    status, output = box.run("sync")
    if status != 0:
        settled.told[box.index].append(f"edgetick sync ended with {status}: {output.strip()[-500:]}")
    status, output = box.run("verify")
    if status != 0:
        settled.verified.append(f"box {box.index}: edgetick verify ended with {status}: {output.strip()[-1500:]}")


def _check(box: Box, settled: Settled) -> None:
    """The exit code for programs says what health says just before and just after."""
    before = _state(box)
    status, output = box.run("status", "--check")
    after = _state(box)
    if before is None or after is None or status not in CHECK_WORDS or before.worst != after.worst:
        return
    if CHECK_WORDS[status] != after.worst:
        settled.contradictions.append(
            f"box {box.index}: health is {after.worst}, and status --check ends with {status}: {output.strip()[:600]}")
