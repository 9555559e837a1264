"""The actions, one function each. An action leaves its box running, or frozen, away or full only as its step says."""

import os
import signal
import time

from .box import Box
from .life import Life
from .sequence import Step

# Of SQLite's file, in bytes.
PAGE = 4096
# A collector leaves a gap alone until half a minute after its end, which may be two seconds after the loss was over.
NIGHT = 33_000


def perform(life: Life, step: Step) -> None:
    """Does one step."""
    box = life.boxes[min(step.box, len(life.boxes) - 1)]
    ACTIONS[step.kind](life, box, **{name.replace("-", "_"): value for name, value in step.how.items()})


def kill(life: Life, box: Box, down: float, again: list[float]) -> None:
    box.kill()
    life.sleep(down)
    for moment in again:
        box.start()
        life.sleep(moment)
        box.kill()
    box.start()


def stop(life: Life, box: Box, down: float, sync: bool) -> None:
    status = box.end()
    # A collector that has hardly begun to start ends by the signal itself.
    if status not in (0, None, -signal.SIGTERM):
        box.notes.append(f"box {box.index} was stopped and ended with {status}")
    if sync:
        life.note(f"edgetick sync: {_short(box.run('sync'))}")
    life.sleep(down)
    box.start()


def back_up(life: Life, box: Box, by: str) -> None:
    if not os.path.exists(f"{box.data}/ticks.sqlite"):
        life.note("there is no file yet")
        return
    if by == "cold":
        box.end()
    target = life.place_for(f"backup-of-box-{box.index}")
    box.back_up(target, online=by == "online")
    life.backups[box.index] = target
    if by == "cold":
        box.start()


def restore_file(life: Life, box: Box, down: float, killed: bool) -> None:
    backup = life.backups.get(box.index)
    if backup is None:
        life.note("there is no backup")
        return
    box.kill() if killed else box.end()
    life.sleep(down)
    box.put_back(backup)
    box.start()


def clone(life: Life, box: Box, by: str, same_name: bool, waiting: bool) -> None:
    if not os.path.exists(f"{box.data}/ticks.sqlite"):
        life.note("there is no file yet")
        return
    was_open = life.line.open
    if waiting:
        # Rows gather that neither has uploaded.
        life.line.cut()
        life.sleep(0.4)
    if by == "cold":
        box.end()
    copy = life.add_box("box" if same_name else f"box-{len(life.boxes)}")
    box.back_up(copy.data, online=by == "online")
    if by == "cold":
        box.start()
    copy.start()
    if waiting and was_open:
        life.line.mend()


def snapshot(life: Life, _: Box) -> None:
    with life.database_alone():
        life.snapshots.append(life.database.snapshot())


def restore_database(life: Life, box: Box, to: str | int, killed: bool) -> None:
    with life.database_alone():
        if killed:
            box.kill()
        life.versions.clear()
        life.database.restore(None if to == "empty" or not life.snapshots else life.snapshots[int(to) % len(life.snapshots)])
        if life.refusal:
            life.database.refuse(*life.refusal)
    box.start()


def truncate(life: Life, _: Box, table: str, at_the_end: bool) -> None:
    if at_the_end:
        life.to_truncate.add(table)
        return
    # Who deletes rows by hand has deleted them: they are not lost.
    empty_table(life, table, life.deleted)


def empty_table(life: Life, table: str, names: set[tuple[str, str, int]]) -> None:
    """Empties a table, and adds what was in it to the names."""
    kind = {"trades": "T", "quotes": "Q"}[table]
    rows = life.database.psql(
        f"BEGIN; LOCK TABLE {table}; COPY (SELECT symbol, sequence FROM {table}) TO STDOUT; TRUNCATE {table}; COMMIT")
    names.update((kind, symbol, int(number)) for symbol, number in (row.split("\t") for row in rows.splitlines()))


def pause(life: Life, box: Box, seconds: float, feed: str) -> None:
    wire = life.feed.wire(box.key)
    box.freeze()
    if feed != "waits":
        # As if what the kernel holds for a client were full.
        wire.held = True
        life.sleep(seconds * 0.6)
        life.feed.throw(box.key, reset=feed == "resets")
        wire.held = False
        life.sleep(seconds * 0.4)
    else:
        life.sleep(seconds)
    box.thaw()


def clock(life: Life, box: Box, by: int, stopped: bool, **how: float) -> None:
    if stopped:
        box.end()
    box.step_clock(by)
    if stopped:
        box.start()
    duration = how["for"]
    if duration > 0:
        life.sleep(duration)
        box.step_clock(0)


def cut(life: Life, box: Box, seconds: float, reset: bool, stays: bool) -> None:
    wire = life.feed.wire(box.key)
    wire.refusing = stays or seconds > 0
    life.feed.cut(box.key, reset)
    if not stays:
        life.sleep(seconds)
        wire.refusing = False


def lag(life: Life, box: Box, seconds: float) -> None:
    life.feed.wire(box.key).lag = seconds


def throw(life: Life, box: Box, held: float, reset: bool) -> None:
    wire = life.feed.wire(box.key)
    wire.held = True
    life.sleep(held)
    life.feed.throw(box.key, reset)
    wire.held = False


def away(life: Life, _: Box, seconds: float, swallow: float, stays: bool) -> None:
    if swallow > 0:
        life.line.swallowing = True
        life.sleep(swallow)
    life.line.cut()
    if not stays:
        life.sleep(seconds)
        life.line.mend()


def refuse(life: Life, _: Box, table: str, symbol: str | None, state: str) -> None:
    life.refusal = (table, symbol, state)
    life.database.refuse(table, symbol, state)


def unlock(life: Life, box: Box, seconds: float) -> None:
    lock = f"{box.data}/ticks.sqlite.lock"
    if not box.is_running or not os.path.exists(lock):
        life.note("no lock is held")
        return
    os.unlink(lock)
    other = box.second("run", log=box.log + ".second")
    until = time.monotonic() + seconds
    try:
        while other.status is None and time.monotonic() < until:
            life.sleep(0.05)
        if other.status is None:
            life.broken.append(f"a second collector ran on the directory of box {box.index} for {seconds} s")
            other.send(signal.SIGTERM)
            other.wait(15)
        else:
            life.note(f"the second collector ended with {other.status}")
    finally:
        other.kill()


def damage(life: Life, box: Box, place: float, pages: int, running: bool, sync: bool, down: float) -> None:
    path = f"{box.data}/ticks.sqlite"
    if not running:
        box.kill()
    size = os.path.getsize(path) // PAGE if os.path.exists(path) else 0
    # The first two are the file's header and its identifier, without which a person is asked for it.
    if size > 3:
        first = 2 + int(place * (size - 2))
        with open(path, "r+b") as file:
            file.seek(first * PAGE)
            file.write(b"\xa5" * PAGE * min(pages, size - first))
    else:
        life.note("there is no file yet, or a small one")
    if sync:
        life.sleep(down)
        life.note(f"edgetick sync: {_short(box.run('sync'))}")
    if not running:
        life.sleep(down)
        box.start()


def fill(life: Life, box: Box, seconds: float, killed: bool) -> None:
    if not life.disk:
        life.note("there is no small disk")
        return
    life.disk.fill()
    life.sleep(seconds)
    if killed:
        box.kill()
        box.start()
        life.sleep(0.5)
    life.disk.empty()


def heal(life: Life, _: Box, what: str) -> None:
    if what == "feed":
        for wire in life.feed.wires.values():
            wire.refusing = False
    elif what == "database":
        life.line.mend()
    else:
        life.refusal = None
        life.database.accept()


def night(life: Life, _: Box, killed: bool) -> None:
    """Time passes while no collector runs, so that all gaps there were are filled at the next start."""
    for box in life.boxes:
        box.kill() if killed else box.end()
    life.pass_time(NIGHT)
    for box in life.boxes:
        box.start()


def _short(result: tuple[int, str]) -> str:
    status, output = result
    return f"status {status}: {output.strip()[-200:]}"


ACTIONS = {
    "kill": kill, "stop": stop, "backup": back_up, "restore-file": restore_file, "clone": clone, "snapshot": snapshot,
    "restore-database": restore_database, "truncate": truncate, "pause": pause, "clock": clock, "cut": cut, "lag": lag,
    "throw": throw, "away": away, "refuse": refuse, "unlock": unlock, "damage": damage, "fill": fill, "heal": heal,
    "night": night,
}
