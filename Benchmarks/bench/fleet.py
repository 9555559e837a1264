"""A fleet of real collectors on one server: what their reports cost it, and how soon a killed one is seen to be gone.

usage: python3 -m bench.fleet [--boxes N] [--minutes M] [--json FILE]     or `make fleet BOXES=20 MINUTES=10`

Each box is a process with a small buffer that collects five symbols and uploads them. Every minute one is killed, and
`edgetick fleet` is asked until it says so, then it is started again. Costs are the server's own word (pg_stat_statements)
about the statements on edgetick_collectors. Ends with status 1 when a kill was seen later than after five seconds, or
when a box was called gone or stale that wasn't.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
import time

from . import machine, run
from .postgres import Server

SYMBOLS = "AAPL,BAC,IBM,MSFT,SPY"
LIMIT = 5.0


class Box:
    """One collector, which can be killed and started again."""

    def __init__(self, number: int, place: str, server: Server, feed: str) -> None:
        self.name = f"box-{number:02}"
        self.environment = {
            "MASSIVE_API_KEY": "fleet", "MASSIVE_WEBSOCKET_URL": feed, "SYMBOLS": SYMBOLS, "FEED_EVENTS": "AM,T",
            "EDGETICK_DATA_DIR": os.path.join(place, self.name), "COLLECTOR_ID": self.name, "LOG_LEVEL": "error",
            "HTTP_PORT": "0", "DATABASE_URI": server.uri(), "BUFFER_MAX_BYTES": "64MiB", "BACKFILL_ENABLED": "false",
            "UNIVERSE_PULL_INTERVAL": "0"}
        self.start()

    def start(self) -> None:
        self.run = run.Background(run.EDGETICK, "run", "--env-file", os.devnull, env=self.environment)

    def kill(self) -> None:
        self.run.process.send_signal(signal.SIGKILL)
        self.run.process.wait()


def standings(server: Server) -> dict[str, str]:
    """What `edgetick fleet` says of each box."""
    text = run.output(
        run.EDGETICK, "fleet", "--json", "--env-file", os.devnull, env={"DATABASE_URI": server.uri()})
    return {box["id"]: box["standing"] for box in json.loads(text)["boxes"]}


def value(server: Server, sql: str) -> str:
    return run.output(*server.psql(sql), "-At")


def costs(server: Server) -> dict[str, float]:
    """The statements on the fleet's table so far: calls, milliseconds and bytes of WAL, of writes and of reads."""
    found = json.loads(value(server, """
        select json_build_object(
            'reports', coalesce(sum(calls) filter (where w), 0),
            'report_ms', coalesce(sum(total_exec_time + total_plan_time) filter (where w), 0),
            'wal_bytes', coalesce(sum(wal_bytes) filter (where w), 0),
            'reads', coalesce(sum(calls) filter (where not w), 0),
            'read_ms', coalesce(sum(total_exec_time + total_plan_time) filter (where not w), 0))
        from (select *, query ilike '%insert into%' as w from pg_stat_statements
              where query ilike '%edgetick_collectors%' and query not ilike '%pg_stat_statements%'
                and (query ilike '%insert into%' or query ilike '%shares_with%')) s"""))
    updates = json.loads(value(server, """
        select json_build_object('updates', n_tup_upd, 'hot', n_tup_hot_upd, 'table_bytes', pg_total_relation_size(relid))
        from pg_stat_user_tables where relname = 'edgetick_collectors'"""))
    return found | updates


def kill_one(box: Box, server: Server) -> tuple[float, list[str]]:
    """How long it took until the box was seen to be gone, and which others were called gone or stale meanwhile."""
    box.kill()
    start = time.monotonic()
    wrong: list[str] = []
    while True:
        found = standings(server)
        wrong += [name for name, standing in found.items() if name != box.name and standing != "live"]
        if found[box.name] == "gone":
            return time.monotonic() - start, wrong
        if time.monotonic() - start > 60:
            raise RuntimeError(f"{box.name} was killed a minute ago and is called {found[box.name]}")


def measure(count: int, minutes: float, place: str) -> tuple[bool, dict]:
    settings = {"shared_preload_libraries": "pg_stat_statements", "max_connections": str(2 * count + 20),
                "pg_stat_statements.track_planning": "on"}
    with Server(settings) as server, contextlib.ExitStack() as stack:
        run.output(*server.psql("create extension pg_stat_statements"))
        environment = {"DATABASE_URI": server.uri()}
        run.output(run.EDGETICK, "migrate", "--env-file", os.devnull, env=environment)
        feed = stack.enter_context(run.Background(
            run.EDGETICK, "simulate", "--port", "0", "--synthetic", SYMBOLS, "--rate", "2"))
        url = feed.line("listening on ")
        boxes = [Box(number, place, server, url) for number in range(count)]
        for box in boxes:
            stack.callback(lambda box=box: box.run.__exit__())
        run.until(
            lambda: list(standings(server).values()) == ["live"] * count, 120, f"{count} boxes are not all live")
        before, began = costs(server), time.monotonic()
        seen, wrong = [], []
        while (left := began + minutes * 60 - time.monotonic()) > 0:
            time.sleep(min(left, 55))
            if left > 55:
                box = boxes[len(seen) % count]
                took, others = kill_one(box, server)
                seen.append(took)
                wrong += others
                box.start()
                run.until(lambda: standings(server)[box.name] == "live", 60, f"{box.name} does not come again")
        seconds = time.monotonic() - began
        after = costs(server)
        connections = int(value(server, "select count(*) from pg_stat_activity where backend_type = 'client backend'")) - 1
        rows = int(value(server, "select count(*) from trades"))
    change = {name: after[name] - before[name] for name in before if name != "table_bytes"}
    reports = change["reports"]
    figures = {
        "boxes": count, "seconds": round(seconds), "reports_per_second": reports / seconds,
        "ms_per_report": change["report_ms"] / reports, "wal_bytes_per_report": change["wal_bytes"] / reports,
        "hot_percent": 100 * change["hot"] / max(1, change["updates"]), "table_bytes": after["table_bytes"],
        "ms_per_read_of_the_fleet": change["read_ms"] / max(1, change["reads"]), "connections": connections,
        "trades_uploaded": rows, "kills": len(seen), "seen_gone_after": [round(took, 1) for took in seen],
        "wrongly_not_live": wrong}
    return all(took <= LIMIT for took in seen) and not wrong, figures


def main() -> None:
    parser = argparse.ArgumentParser(prog="make fleet", description=__doc__)
    parser.add_argument("--boxes", type=int, default=20)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--json", help="also write the figures into this file")
    options = parser.parse_args()
    place = tempfile.mkdtemp(prefix="edgetick-fleet-", dir=os.environ.get("TMPDIR", "/tmp"))
    print(machine.description(), flush=True)
    try:
        good, figures = measure(options.boxes, options.minutes, place)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    for name, figure in figures.items():
        print(f"{name.replace('_', ' '):26} {figure:.3g}" if isinstance(figure, float) else f"{name.replace('_', ' '):26} {figure}")
    print("every kill was seen within 5 s, and nobody else was called gone" if good else "MISSED")
    if options.json:
        with open(options.json, "w") as file:
            json.dump({"machine": machine.description()} | figures, file, indent=1)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
