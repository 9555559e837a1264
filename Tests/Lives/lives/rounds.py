"""Runs a round from its seed to its verdict."""

import asyncio
import os
import shutil
import threading
import time
import traceback
from dataclasses import dataclass

from . import actions, judge, ledger, report, sequence, settle
from .box import Tools
from .database import Server
from .life import Life
from .process import Stopped


@dataclass(frozen=True)
class Workshop:
    """What all rounds of a run share."""

    tools: Tools
    server: Server
    template: str
    loop: asyncio.AbstractEventLoop
    place: str
    binary: str
    without: frozenset[str]
    stop: threading.Event
    keeps: bool


def play(workshop: Workshop, seed: int) -> dict:
    """One round. Its directory stays when it fails, or when all are to be kept."""
    plan = sequence.make(seed, workshop.without)
    place = os.path.join(workshop.place, f"seed-{seed}")
    shutil.rmtree(place, ignore_errors=True)
    result: dict = {}
    started = time.monotonic()
    try:
        result = _play(workshop, plan, place, started)
    except Stopped:
        raise
    except Exception as error:
        result = {
            "seed": seed, "binary": workshop.binary, "seconds": round(time.monotonic() - started, 1),
            "steps": [str(step) for step in plan.steps],
            "error": f"the harness broke off: {error!r}", "notes": traceback.format_exc().splitlines(),
        }
    finally:
        if not (workshop.keeps or result and report.failed(result)):
            shutil.rmtree(place, ignore_errors=True)
    return result


def _play(workshop: Workshop, plan: sequence.Sequence, place: str, started: float) -> dict:
    with Life(plan, place, workshop.tools, workshop.server, workshop.template, workshop.loop, workshop.stop) as life:
        life.boxes[0].wait_until_ready()
        for step in plan.steps:
            life.sleep(step.wait)
            for box in life.boxes:
                box.keep_alive()
            life.note(str(step))
            actions.perform(life, step)
            life.watch_versions()
        life.sleep(0.3)
        life.note("settling")
        settled = settle.settle(life)
        closed = life.feed.closed or 0
        files = [
            ledger.read_file(plan.market, box.index, box.data, life.saved.get(box.index, ())) for box in life.boxes
        ]
        upstream = ledger.read_upstream(plan.market, life.database)
        # What no file has any more can't be sent again.
        life.deleted.update(name for name in life.emptied if not any(name in file.rows for file in files))
        verdict = judge.judge(plan.market, life.feed.first, closed, upstream, files, settled.last_words, life.deleted,
            life.versions)
        notes = life.events + [note for box in life.boxes for note in box.notes]
        result = report.line(plan, workshop.binary, time.monotonic() - started, life.feed.written, verdict, settled, notes)
        if report.failed(result) or workshop.keeps:
            _keep(life, place, result)
        return result


def _keep(life: Life, place: str, result: dict) -> None:
    """Leaves beside the files what the database had, and the data of a disk that goes away."""
    with open(os.path.join(place, "result.txt"), "w") as file:
        file.write(report.shown(result) + "\n")
    for table in ("edgetick_uploads", "trades"):
        with open(os.path.join(place, f"{table}.tsv"), "w") as file:
            file.write(life.database.psql(f"SELECT * FROM {table}"))
    if life.disk:
        shutil.copytree(life.disk.path, os.path.join(place, "box-0", "data-of-small-disk"), dirs_exist_ok=True)
