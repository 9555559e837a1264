"""Programs that the rounds start: each in a session of its own, ended by id, its output in a file."""

import os
import signal
import subprocess
import time


class Stopped(Exception):
    """The run is to end."""


class Program:
    """A program that runs along."""

    def __init__(self, command: list[str], environment: dict[str, str], directory: str, log: str) -> None:
        with open(log, "ab") as output:
            self.started_at = output.tell()
            self.process = subprocess.Popen(
                command, env=environment, cwd=directory, stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT, start_new_session=True,
            )
        self.log = log

    @property
    def status(self) -> int | None:
        """How it ended; negative for a signal, nothing while it runs."""
        return self.process.poll()

    @property
    def output(self) -> str:
        with open(self.log, "rb") as file:
            file.seek(self.started_at)
            return file.read().decode(errors="replace")

    def send(self, number: signal.Signals) -> None:
        if self.status is None:
            os.kill(self.process.pid, number)

    def wait(self, seconds: float) -> int | None:
        """Its exit status, or nothing when it runs on."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def kill(self) -> None:
        if self.status is None:
            self.process.kill()
            self.process.wait()


def finish(command: list[str], environment: dict[str, str], directory: str, seconds: float) -> tuple[int, str]:
    """Runs a program to its end; its status and what it printed. One that takes too long is killed: status -9."""
    with subprocess.Popen(
        command, env=environment, cwd=directory, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True,
    ) as process:
        try:
            output, _ = process.communicate(timeout=seconds)
            return process.returncode, output
        except subprocess.TimeoutExpired:
            process.kill()
            output, _ = process.communicate()
            return -signal.SIGKILL, output + f"\n[killed after {seconds:.0f} s]"
        except BaseException:
            process.kill()
            raise


def until(condition, seconds: float, stop, pace: float = 0.02) -> bool:
    """Waits until a condition holds; whether it came to hold in time."""
    end = time.monotonic() + seconds
    while True:
        if stop.is_set():
            raise Stopped
        if condition():
            return True
        if time.monotonic() >= end:
            return False
        time.sleep(pace)
