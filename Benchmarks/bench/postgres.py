"""A PostgreSQL server of our own, in a directory that goes away with it."""

import os
import shutil
import socket
import subprocess
import tempfile


def binaries() -> str:
    try:
        return subprocess.run(["pg_config", "--bindir"], capture_output=True, text=True, check=True).stdout.strip()
    except (FileNotFoundError, subprocess.CalledProcessError):
        return "/usr/lib/postgresql/15/bin"


class Server:
    """Started with its defaults and these settings; the limit and the subject use the same one."""

    def __init__(self, settings: dict[str, str] | None = None) -> None:
        self.settings = settings or {}

    def __enter__(self) -> "Server":
        self.prefix = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
        self.directory = tempfile.mkdtemp(prefix="edgetick-bench-pg-")
        if os.getuid() == 0:
            shutil.chown(self.directory, "postgres")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        data = os.path.join(self.directory, "data")
        self.control = [*self.prefix, os.path.join(binaries(), "pg_ctl"), "-D", data]
        self.run(*self.prefix, os.path.join(binaries(), "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8")
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.run(*self.control, "-w", "-m", "fast", "stop")
        shutil.rmtree(self.directory, ignore_errors=True)

    def start(self) -> None:
        options = f"-p {self.port} -k {self.directory} -c listen_addresses=127.0.0.1"
        options += "".join(f" -c {name}={value}" for name, value in self.settings.items())
        self.run(*self.control, "-w", "-l", os.path.join(self.directory, "log"), "-o", options, "start")

    def crash(self) -> None:
        """Stops without a checkpoint: what was committed lazily may be gone."""
        self.run(*self.control, "-w", "-m", "immediate", "stop")

    @staticmethod
    def run(*command: str) -> None:
        done = subprocess.run(
            list(command), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, cwd="/")
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}\n{done.stdout}")

    def uri(self, database: str = "postgres") -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def psql(self, *commands: str) -> list[str]:
        """The command that runs these, one after the other, as one program."""
        parts = [part for command in commands for part in ("-c", command)]
        return ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", self.uri(), *parts]
