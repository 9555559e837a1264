"""A box: a data directory, settings, and the collector that runs there as a real process."""

import json
import os
import re
import shutil
import signal
import sqlite3
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass

from . import market as markets
from . import process

# What systemd doesn't restart, because another try can't help: usage and settings.
FINAL = (64, 78)
READY = re.compile(r"HTTP is ready.*?port[=:\" ]+(\d+)")


@dataclass(frozen=True)
class Tools:
    """What the rounds run."""

    edgetick: str
    clock: str | None


class Box:
    """One box and its life."""

    def __init__(
        self, index: int, place: str, tools: Tools, collector: str, settings: dict[str, str], stop: threading.Event,
        difference: int,
    ) -> None:
        self.index, self.place, self.tools, self.collector, self.stop = index, place, tools, collector, stop
        self.key = f"key-of-box-{index}"
        self.symbols = markets.symbols(index)
        self.data = os.path.join(place, "data")
        self.log = os.path.join(place, "log")
        self.settings = settings
        # The market's time against the true one: what a clock shows that is right.
        self.difference = difference
        self.program: process.Program | None = None
        # What the box did that nobody asked it to, such as ending by itself.
        self.notes: list[str] = []
        self.restarts = 0
        os.makedirs(self.data, mode=0o700, exist_ok=True)
        self.step_clock(0)

    # Settings.

    @property
    def environment(self) -> dict[str, str]:
        all_settings = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": self.place, "MASSIVE_API_KEY": self.key,
            "SYMBOLS": ",".join(self.symbols), "FEED_EVENTS": ",".join(markets.KINDS), "EDGETICK_DATA_DIR": self.data,
            "COLLECTOR_ID": self.collector, "HTTP_PORT": "0", "BACKFILL_ENABLED": "false", "UNIVERSE_PULL_INTERVAL": "0",
            "MASSIVE_WEBSOCKET_RECONNECT_DELAY": "0.1", "SYNC_INTERVAL": "0.3", "SYNC_STATEMENT_TIMEOUT": "5",
            "BACKFILL_REQUESTS_PER_MINUTE": "0",
        }
        if self.tools.clock:
            all_settings |= {"LD_PRELOAD": self.tools.clock, "CLOCKSHIM_FILE": os.path.join(self.place, "clock")}
        return all_settings | self.settings

    def step_clock(self, milliseconds: int) -> None:
        """Moves this box's wall clock so far from the market's time."""
        self.offset = milliseconds
        path = os.path.join(self.place, "clock")
        with open(path + ".new", "w") as file:
            file.write(f"{self.difference + milliseconds}\n")
        os.replace(path + ".new", path)

    # The process.

    @property
    def is_running(self) -> bool:
        return self.program is not None and self.program.status is None

    def start(self) -> None:
        if not self.is_running:
            self.program = self.second("run", log=self.log)

    def second(self, *command: str, log: str) -> process.Program:
        """Starts another program with this box's settings."""
        return process.Program([self.tools.edgetick, *command], self.environment, self.place, log)

    def run(self, *command: str, seconds: float = 60) -> tuple[int, str]:
        """Runs a command with this box's settings to its end."""
        return process.finish([self.tools.edgetick, *command], self.environment, self.place, seconds)

    def wait_until_ready(self, seconds: float = 40) -> bool:
        process.until(lambda: not self.is_running or self.port is not None, seconds, self.stop)
        return self.is_running and self.port is not None

    def kill(self) -> None:
        if self.program:
            self.program.kill()
            self.program = None

    def end(self, seconds: float = 25) -> int | None:
        """A stop in order; the exit status, or nothing when it didn't come in time."""
        if not self.program:
            return None
        self.program.send(signal.SIGTERM)
        status = self.program.wait(seconds)
        if status is None:
            self.notes.append(f"box {self.index} did not stop within {seconds:.0f} s and was killed")
            self.program.kill()
        self.program = None
        return status

    def freeze(self) -> None:
        if self.program:
            self.program.send(signal.SIGSTOP)

    def thaw(self) -> None:
        if self.program:
            self.program.send(signal.SIGCONT)

    def keep_alive(self) -> None:
        """What a supervisor does: a collector that ended by itself is noted and started again."""
        if self.program is None or self.program.status is None:
            return
        status = self.program.status
        last = [line for line in self.program.output.splitlines() if line.strip()][-1:]
        self.notes.append(f"box {self.index} ended by itself with {status}: {''.join(last)[:300]}")
        self.restarts += 1
        if status not in FINAL and self.restarts <= 6:
            time.sleep(0.2)
            self.start()
        else:
            self.program = None

    # What it says.

    @property
    def port(self) -> int | None:
        match = READY.search(self.program.output) if self.program else None
        return int(match[1]) if match else None

    def ask(self, path: str, method: str = "GET") -> dict | None:
        """An answer of the collector's API, or nothing."""
        port = self.port
        if port is None or not self.is_running:
            return None
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            try:
                return json.load(error)
            except ValueError:
                return None
        except (OSError, ValueError):
            return None

    # The directory.

    def back_up(self, target: str, online: bool) -> None:
        """Copies the file as SQLite does, or the directory as cp does."""
        if not online:
            copy_directory(self.data, target)
            return
        os.makedirs(target, mode=0o700, exist_ok=True)
        source = sqlite3.connect(f"file:{self.data}/ticks.sqlite?mode=ro", uri=True, timeout=10)
        copy = sqlite3.connect(f"{target}/ticks.sqlite")
        try:
            source.backup(copy)
        finally:
            copy.close()
            source.close()

    def put_back(self, backup: str) -> None:
        """The disk is new, and all it has is the backup."""
        for name in os.listdir(self.data):
            path = os.path.join(self.data, name)
            shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
        copy_directory(backup, self.data)


def copy_directory(source: str, target: str) -> None:
    """As `cp -a`, of a directory that may be in use: a file that goes away meanwhile is left out."""
    os.makedirs(target, mode=0o700, exist_ok=True)
    for name in sorted(os.listdir(source)):
        path = os.path.join(source, name)
        if os.path.isdir(path):
            copy_directory(path, os.path.join(target, name))
            continue
        try:
            shutil.copy2(path, os.path.join(target, name))
        except FileNotFoundError:
            continue
