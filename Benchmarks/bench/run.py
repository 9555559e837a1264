"""Running programs: with a figure as their output, in the background, and on one core."""

import concurrent.futures
import os
import signal
import subprocess
import time
from typing import Callable

from . import machine

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
EDGETICK = os.environ.get("EDGETICK") or os.path.join(ROOT, ".build/release/edgetick")
SUBJECT = os.path.join(ROOT, "Benchmarks/.build/release/subject")
LIMITS = os.path.join(ROOT, "Benchmarks/.build/limits")


def output(*command: str, core: int | None = None, env: dict | None = None, stdout: int = subprocess.PIPE) -> str:
    """A program's output; fails with what it said when it fails."""
    full = (machine.pinned(core) if core is not None else []) + list(command)
    done = subprocess.run(
        full, stdout=stdout, stderr=subprocess.PIPE, text=True, env={**os.environ, **(env or {})})
    said = done.stdout or ""
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(full)}: status {done.returncode}\n{said}{done.stderr}")
    return said.strip()


def seconds(*command: str, core: int | None = None, env: dict | None = None) -> float:
    """How long a program takes from start to end; nobody reads what it prints."""
    start = time.monotonic()
    output(*command, core=core, env=env, stdout=subprocess.DEVNULL)
    return time.monotonic() - start


def together(commands: list[tuple[tuple[str, ...] | list[str], dict]]) -> float:
    """How long programs that start at the same time take until the last has ended; each with its own settings."""
    start = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(len(commands)) as pool:
        for done in [pool.submit(output, *command, env=env) for command, env in commands]:
            done.result()
    return time.monotonic() - start


def until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Returns when a condition holds; fails with `what` when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"{what} after {seconds:g} s")
        time.sleep(0.02)


class Background:
    """A program that runs along; stopped when the block ends."""

    def __init__(
            self, *command: str, core: int | None = None, env: dict | None = None, stdin: int | None = None) -> None:
        full = (machine.pinned(core) if core is not None else []) + list(command)
        self.log = open(os.devnull, "w")
        self.process = subprocess.Popen(
            full, stdin=stdin, stdout=subprocess.PIPE, stderr=self.log, text=True, env={**os.environ, **(env or {})})

    def __enter__(self) -> "Background":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()

    def line(self, start: str) -> str:
        """The first line of output that begins so, without that beginning."""
        assert self.process.stdout
        for line in self.process.stdout:
            if line.startswith(start):
                return line[len(start):].strip()
        raise RuntimeError(f"{self.process.args}: ended without a line that begins with {start!r}")

    def memory(self) -> int:
        """Resident bytes now."""
        with open(f"/proc/{self.process.pid}/status") as file:
            # A process that has just ended has no such line.
            return next((int(line.split()[1]) * 1024 for line in file if line.startswith("VmRSS")), 0)

    def cpu(self) -> float:
        """Seconds of processor time used so far."""
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
