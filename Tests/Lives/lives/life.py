"""One round: its boxes, its feed, its database, and what was noted. Everything in it goes away at its end."""

import asyncio
import contextlib
import datetime
import os
import threading
import time
from collections.abc import Iterator

from . import disk, feed, ledger, line, rest
from .box import Box, Tools
from .database import Database, Server
from .process import Stopped
from .sequence import Sequence


def trading_hours() -> int:
    """A moment of a trading day, in New York's morning: gaps are filled then, on whichever day and hour a round runs."""
    return int(datetime.datetime(2024, 1, 3, 15, 30, tzinfo=datetime.UTC).timestamp()) * 1000


class Life:
    """Used as a context: it starts the feed and the first box, and ends whatever runs."""

    def __init__(
        self, sequence: Sequence, place: str, tools: Tools, server: Server, template: str,
        loop: asyncio.AbstractEventLoop, stop: threading.Event,
    ) -> None:
        self.sequence, self.place, self.tools, self.stop, self.loop = sequence, place, tools, stop, loop
        self.started = time.monotonic()
        self.events: list[str] = []
        self.boxes: list[Box] = []
        self.backups: dict[int, str] = {}
        self.snapshots: list[str] = []
        # Tables to be emptied when everything is upstream, and what was in them then; what was in those emptied before.
        self.to_truncate: set[str] = set()
        self.emptied: set[tuple[str, str, int]] = set()
        self.deleted: set[tuple[str, str, int]] = set()
        # Where what could be read of files that were set aside was saved, by box.
        self.saved: dict[int, list[str]] = {}
        # What a collector must not do, whatever became of the rows.
        self.broken: list[str] = []
        # The newest version of each minute bar that was upstream, since the database was last put back.
        self.versions: dict[tuple[str, int], int] = {}
        self.refusal: tuple[str, str | None, str] | None = None
        self.disk: disk.SmallDisk | None = None
        self.difference = trading_hours() + sequence.seed % 3600 * 1000 - feed.milliseconds() if tools.clock else 0
        self.feed = feed.Feed(sequence.market, loop, self.difference)
        self.rest = rest.Rest(self.feed, sequence.has_ticks)
        self.line = line.Line(server.port, loop)
        self.server, self.template = server, template
        self.database: Database

    def __enter__(self) -> "Life":
        os.makedirs(self.place, exist_ok=True)
        self._await(self.feed.start())
        self._await(self.rest.start())
        self._await(self.line.start())
        self.database = Database(self.server, f"lives_{os.getpid()}_{self.sequence.seed}", self.template)
        first = self.add_box("box")
        if self.sequence.on_small_disk:
            self.disk = disk.SmallDisk(first.data)
        first.start()
        return self

    def __exit__(self, *_: object) -> None:
        for box in self.boxes:
            box.kill()
        self._await(self.feed.stop())
        self._await(self.rest.stop())
        self._await(self.line.stop())
        with contextlib.suppress(RuntimeError, AttributeError):
            self.database.drop()
        if self.disk:
            self.disk.unmount()

    def add_box(self, collector: str) -> Box:
        index = len(self.boxes)
        settings = self.sequence.settings | {
            "MASSIVE_WEBSOCKET_URL": f"ws://127.0.0.1:{self.feed.port}/stocks",
            "MASSIVE_REST_URL": f"http://127.0.0.1:{self.rest.port}",
            "DATABASE_URI": self.server.uri(self.database.name, self.line.port),
        }
        box = Box(index, os.path.join(self.place, f"box-{index}"), self.tools, collector, settings, self.stop,
            self.difference)
        self.boxes.append(box)
        return box

    def place_for(self, name: str) -> str:
        """A new directory's name."""
        number = sum(entry.startswith(name) for entry in os.listdir(self.place))
        return os.path.join(self.place, f"{name}-{number}")

    @contextlib.contextmanager
    def database_alone(self) -> Iterator[None]:
        """No collector reaches the database meanwhile, and those that did are cut off."""
        was_open = self.line.open
        self.line.cut()
        try:
            yield
        finally:
            if was_open:
                self.line.mend()

    def watch_versions(self) -> None:
        """Notes which versions of minute bars are upstream: no older one may take a newer one's place."""
        for name, number in ledger.read_versions(self.sequence.market, self.database).items():
            self.versions[name] = max(number, self.versions.get(name, number))

    def pass_time(self, milliseconds: int) -> None:
        """Moves the market's time, and with it every box's clock."""
        self.difference += milliseconds
        self.feed.difference = self.difference
        for box in self.boxes:
            box.difference = self.difference
            box.step_clock(box.offset)

    def note(self, text: str) -> None:
        self.events.append(f"{time.monotonic() - self.started:6.2f} {text}")

    def sleep(self, seconds: float) -> None:
        if self.stop.wait(seconds):
            raise Stopped

    def _await(self, work) -> None:
        asyncio.run_coroutine_threadsafe(work, self.loop).result(20)
