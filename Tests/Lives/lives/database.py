"""PostgreSQL: one private server for all rounds, and a database for each round that can be copied, put back and hurt."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import threading
import time

TABLES = ("ohlcv_1min", "ohlcv_1sec", "trades", "quotes")


def binaries() -> str:
    try:
        return subprocess.run(["pg_config", "--bindir"], capture_output=True, text=True, check=True).stdout.strip()
    except (FileNotFoundError, subprocess.CalledProcessError):
        found = sorted(os.listdir("/usr/lib/postgresql"), key=int) if os.path.isdir("/usr/lib/postgresql") else []
        if not found:
            raise SystemExit("lives: no PostgreSQL server on this machine: .ci/packages test installs one") from None
        return f"/usr/lib/postgresql/{found[-1]}/bin"


class Server:
    """A server of our own in a directory that goes away with it."""

    def __init__(self) -> None:
        self.prefix = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
        self.user = "postgres" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
        self.directory = tempfile.mkdtemp(prefix="edgetick-lives-pg-")
        self.copying = threading.Lock()
        self.bin = binaries()
        self.port = 0

    def start(self) -> None:
        if os.getuid() == 0:
            shutil.chown(self.directory, "postgres")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        data = os.path.join(self.directory, "data")
        self._run("initdb", "-D", data, "-U", self.user, "-A", "trust", "-E", "UTF8", "--no-sync")
        settings = {
            "listen_addresses": "127.0.0.1", "fsync": "off", "full_page_writes": "off", "max_connections": "80",
            "wal_level": "minimal", "max_wal_senders": "0", "autovacuum": "off", "shared_buffers": "64MB",
        }
        options = " ".join(f"-c {name}={value}" for name, value in settings.items())
        self._run(
            "pg_ctl", "-D", data, "-w", "-l", os.path.join(self.directory, "log"), "-o",
            f"-p {self.port} -k {self.directory} {options}", "start",
        )

    def stop(self) -> None:
        try:
            self._run("pg_ctl", "-D", os.path.join(self.directory, "data"), "-w", "-m", "immediate", "stop")
        except RuntimeError:
            pass
        shutil.rmtree(self.directory, ignore_errors=True)

    def uri(self, database: str, port: int | None = None) -> str:
        return f"postgresql://{self.user}@127.0.0.1:{port or self.port}/{database}"

    def psql(self, sql: str, database: str = "postgres") -> str:
        """Runs SQL; fields apart by tabs, rows by line feeds."""
        done = subprocess.run(
            [f"{self.bin}/psql", "-X", "-q", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-h", self.directory,
             "-p", str(self.port), "-U", self.user, "-d", database, "-f", "-"],
            input=sql, capture_output=True, text=True, timeout=120,
        )
        if done.returncode != 0:
            raise RuntimeError(f"psql in {database}: {done.stderr.strip()}\n{sql}")
        return done.stdout

    def _run(self, program: str, *arguments: str) -> None:
        # A server that starts keeps what it inherits: its output goes to a file, not to a pipe that would never end.
        with tempfile.TemporaryFile("w+") as output:
            done = subprocess.run(
                [*self.prefix, f"{self.bin}/{program}", *arguments], stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT, cwd="/",
            )
            if done.returncode != 0:
                output.seek(0)
                raise RuntimeError(f"{program} {' '.join(arguments)}: status {done.returncode}\n{output.read()}")


class Database:
    """The database of one round."""

    def __init__(self, server: Server, name: str, template: str) -> None:
        self.server, self.name, self.template = server, name, template
        self.snapshots = 0
        self._copy(template, name)

    def snapshot(self) -> str:
        """Keeps the database as it is now. The caller has cut the line."""
        self.snapshots += 1
        copy = f"{self.name}_{self.snapshots}"
        self._alone()
        self._copy(self.name, copy)
        return copy

    def restore(self, snapshot: str | None) -> None:
        """Puts a snapshot back, or makes the database again. The caller has cut the line."""
        self._alone()
        self.server.psql(f"DROP DATABASE {self.name}")
        self._copy(snapshot or self.template, self.name)

    def refuse(self, table: str, symbol: str | None, state: str) -> None:
        """Has the server refuse rows of a table, of one symbol or all, with an SQLSTATE."""
        condition = f"NEW.symbol = '{symbol}'" if symbol else "true"
        self.psql(
            f"CREATE OR REPLACE FUNCTION lives_refuse_{table}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"IF {condition} THEN RAISE EXCEPTION 'refused by the test' USING ERRCODE = '{state}'; END IF; "
            f"RETURN NEW; END $$; CREATE OR REPLACE TRIGGER lives_refuse BEFORE INSERT ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION lives_refuse_{table}();"
        )

    def accept(self) -> None:
        """Ends every refusal."""
        self.psql("SET client_min_messages = error;" + "".join(
            f"DROP TRIGGER IF EXISTS lives_refuse ON {table};" for table in TABLES))

    def psql(self, sql: str) -> str:
        return self.server.psql(sql, self.name)

    def drop(self) -> None:
        for number in range(self.snapshots, -1, -1):
            name = f"{self.name}_{number}" if number else self.name
            self.server.psql(f"SET client_min_messages = error; DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def _copy(self, source: str, target: str) -> None:
        with self.server.copying:
            self.server.psql(f"CREATE DATABASE {target} TEMPLATE {source}")

    def _alone(self) -> None:
        """Ends every session and waits until none is left."""
        until = time.monotonic() + 20
        while time.monotonic() < until:
            left = self.server.psql(
                f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{self.name}'")
            if not left.strip():
                return
            time.sleep(0.02)
        raise RuntimeError(f"sessions stay in {self.name}")
