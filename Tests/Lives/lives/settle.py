"""The end of a round: what heals by itself heals, and where a collector asks for a person, a person does what it says."""

from . import actions, process
from .box import Box
from .life import Life
from .outcome import Settled, drain, read_state, start, words_of_streams
from .person import obey

# Exit codes of `edgetick status --check`, and that of a version that doesn't know it.
CHECK_WORDS = {0: "ok", 1: "degraded", 2: "failing", 3: "not running"}


def settle(life: Life) -> Settled:
    """Brings a round to its end; all boxes are stopped then."""
    settled = Settled(late=life.broken)
    _heal(life)
    if life.sequence.fills and life.tools.clock:
        # One that ended by itself is noted before the night ends all of them.
        for box in life.boxes:
            box.keep_alive()
        actions.night(life, life.boxes[0], killed=True)
    for box in life.boxes:
        start(life, box, settled)
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
        drain(life, box, settled)
    _truncate(life, settled)
    for box in life.boxes:
        for _ in range(3):
            if not obey(life, box, settled):
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
    # No row that fills a gap goes up between the two.
    for box in life.boxes:
        box.end()
    for table in sorted(life.to_truncate):
        actions.empty_table(life, table, life.emptied)
    for box in life.boxes:
        start(life, box, settled)
    process.until(lambda: all(_misses_rows(box) for box in life.boxes), 6, life.stop, 0.3)


def _misses_rows(box: Box) -> bool:
    """Whether a collector says that rows are gone: before dead letters, sent again, are new rows that look well."""
    state = read_state(box)
    return state is not None and any("sync --again" in words for words in state.problem)


def _is_subscribed(life: Life, box: Box) -> bool:
    wire = life.feed.wire(box.key)
    return any(len(session.cursors) == 4 * len(box.symbols) for session in wire.sessions)


def _leave(life: Life, box: Box, settled: Settled) -> None:
    """Stops a box; what it says then, and what `edgetick sync` says, is the last word."""
    state = read_state(box)
    if state:
        _check(box, settled)
        settled.told[box.index] += [words[:600] for words in state.problem]
    if box.is_running:
        status = box.end()
        if status != 0:
            settled.told[box.index].append(f"was stopped and ended with {status}")
    # A gap is left alone for half a minute after its end.
    box.step_clock(60_000)
    _run(box, "backfill", settled)
    _run(box, "sync", settled)
    status, output = box.run("verify")
    if status != 0:
        settled.verified.append(f"box {box.index}: edgetick verify ended with {status}: {output.strip()[-1500:]}")
        # A page may have gone bad that the collector had no reason to read; a person does what verify says.
        if "edgetick repair" in output:
            for command in ("repair", "sync"):
                status, output = _run(box, command, settled)
                life.note(f"box {box.index}: edgetick {command}: {status}: {output.strip()[-300:]}")


def _run(box: Box, command: str, settled: Settled) -> tuple[int, str]:
    """Runs a command that must end well; what sync says last of the rows of each stream is kept apart."""
    status, output = box.run(command)
    if status != 0:
        settled.told[box.index].append(f"edgetick {command} ended with {status}: {output.strip()[-500:]}")
    if command == "sync":
        settled.last_words[box.index] = words_of_streams(status, output)
    return status, output


def _check(box: Box, settled: Settled) -> None:
    """The exit code for programs says what health says just before and just after."""
    before = read_state(box)
    status, output = box.run("status", "--check")
    after = read_state(box)
    if before is None or after is None or status not in CHECK_WORDS or before.worst != after.worst:
        return
    if CHECK_WORDS[status] != after.worst:
        settled.contradictions.append(
            f"box {box.index}: health is {after.worst}, and status --check ends with {status}: {output.strip()[:600]}")
