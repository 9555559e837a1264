"""The person whom a collector asks: does what its error says, with the commands that it names."""

import glob
import os
import re
import shutil
import sqlite3

from . import ledger, process
from .box import Box
from .life import Life
from .market import STREAMS
from .outcome import Settled, State, drain, read_state, start

# What a person may be asked to run, as the errors spell it.
COMMANDS = {
    "again": re.compile(r"edgetick sync --again"),
    "repair": re.compile(r"edgetick repair --force"),
    "set aside": re.compile(r"edgetick repair --file|move the damaged file away"),
    # Which names the damage, and repair.
    "verify": re.compile(r"run edgetick verify"),
}
# Or to start the collector again.
RESTART = re.compile(r"restart|start (it|the collector) again")
SAVE = ["repair", "--file"]
AGAIN = ["sync", "--again"]


def obey(life: Life, box: Box, settled: Settled) -> bool:
    """Does what a collector that asks for a person says; whether it asked for something that could be done."""
    state = read_state(box)
    if state is None or not (state.problem or state.letters):
        return False
    words = "; ".join(state.problem) or f"{state.letters} dead letters"
    settled.asked.append(f"box {box.index}: {words}"[:600])
    command = _command(words, state)
    if command is None:
        return False
    box.end()
    status, output = 0, "started again"
    if command == AGAIN:
        status, output = _send_again(life, box, words)
    elif command:
        status, output = _save_set_aside(life, box) if command == SAVE else box.run(*command)
    life.note(f"box {box.index} asked ({words[:200]}): edgetick {' '.join(command)}: {status}: {output.strip()[-300:]}")
    settled.asked[-1] += f" → edgetick {' '.join(command)}: {status}"
    start(life, box, settled)
    drain(life, box, settled)
    return True


def _command(words: str, state: State) -> list[str] | None:
    if COMMANDS["again"].search(words):
        return AGAIN
    if COMMANDS["repair"].search(words):
        return ["repair", "--force"]
    if COMMANDS["set aside"].search(words):
        return SAVE
    if COMMANDS["verify"].search(words):
        return ["repair"]
    if state.letters:
        return ["dead-letters", "retry", "--all"]
    return [] if RESTART.search(words) else None


def _send_again(life: Life, box: Box, words: str) -> tuple[int, str]:
    """Looks from where on a stream's rows are missing upstream, and has them sent again from there."""
    outputs, worst = [], 0
    try:
        file = ledger.read_file(life.sequence.market, box.index, box.data)
    except sqlite3.DatabaseError:
        # A page may have gone bad that the collector had no reason to read.
        worst, output = box.run("repair")
        outputs.append(output)
        file = ledger.read_file(life.sequence.market, box.index, box.data)
    there = ledger.read_upstream(life.sequence.market, life.database).counts
    for stream in ("bars", "trades", "quotes"):
        if f"{stream}: " not in words:
            continue
        # Bars are never doubled; of the others those that are there are left out.
        missing = [sequence for name, sequences in file.rows.items() if STREAMS[name[0]] == stream
                   for sequence in sequences if stream == "bars" or not there[name]]
        first = min(missing, default=1)
        status, output = box.run("sync", "--again", "--stream", stream, "--from", str(first), "--yes")
        outputs.append(f"--stream {stream} --from {first}: {status}: {output.strip()[-300:]}")
        worst = worst or status
    return worst, "\n".join(outputs)


def _save_set_aside(life: Life, box: Box) -> tuple[int, str]:
    """Saves what can be read of each file that was set aside, uploads it, and moves the file away."""
    outputs, worst = [], 0
    aside = os.path.join(box.place, "aside")
    os.makedirs(aside, exist_ok=True)
    for path in sorted(glob.glob(os.path.join(box.data, "ticks-bad-*.sqlite"))):
        if os.path.exists(path + "-repaired"):
            # Its rows are in the file in use: a copy is uploaded and its file moved away at once.
            status, output = 0, "repaired in its place"
        else:
            status, output = box.run("repair", "--file", path)
        if match := re.search(r"EDGETICK_DATA_DIR=(\S+)", output):
            saved = match[1].strip("'`")
            life.saved.setdefault(box.index, []).append(saved)
            sync = process.finish(
                [box.tools.edgetick, "sync"], box.environment | {"EDGETICK_DATA_DIR": saved}, box.place, 60)
            output += sync[1]
            status = status or sync[0]
        for file in glob.glob(glob.escape(path) + "*"):
            shutil.move(file, os.path.join(aside, os.path.basename(file)))
        outputs.append(output)
        worst = worst or status
    return worst, "\n".join(outputs)
