"""Three connections at work, as their user sees them: how soon they are up, fail over and respond."""

import http.client
import json
import os
import shutil
import socket
import statistics
import time

from . import run
from .proxy import Proxy
from .row import NotMeasured
from .row_footprint import SYMBOLS
from .table import Result


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Collector(run.Background):
    """Three connections with `each` symbols of their own."""

    def __init__(self, place: str, url: str, each: int, **more: str) -> None:
        self.port = free_port()
        self.place = place
        environment = {
            "MASSIVE_API_KEY": "bench", "MASSIVE_WEBSOCKET_URL": url, "FEED_EVENTS": "T", "EDGETICK_DATA_DIR": place,
            "COLLECTOR_ID": "bench", "LOG_LEVEL": "error", "HTTP_PORT": str(self.port), "USE_MULTI_CONNECTION": "true",
            **more,
        }
        for number in range(3):
            prefix = f"WEBSOCKET_CONNECTION_{number + 1}_"
            environment[prefix + "ENABLED"] = "true"
            environment[prefix + "SYMBOLS"] = ",".join(SYMBOLS[number * each:(number + 1) * each])
        super().__init__(run.EDGETICK, "run", "--env-file", os.devnull, core=1, env=environment)

    def __exit__(self, *failure: object) -> None:
        super().__exit__(*failure)
        shutil.rmtree(self.place, ignore_errors=True)

    def get(self, path: str) -> tuple[float, dict]:
        """An answer and the seconds that it took."""
        start = time.perf_counter()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("GET", path)
        body = connection.getresponse().read()
        took = time.perf_counter() - start
        connection.close()
        return took, json.loads(body)

    def connections(self) -> list[dict]:
        return list(self.get("/api/admin/websocket-status")[1]["data"]["connections"].values())

    def until(self, holds, limit: float = 30) -> float:
        """Waits until the connections' states are so; the seconds since the call."""
        start = time.monotonic()
        while time.monotonic() - start < limit:
            try:
                if holds(self.connections()):
                    return time.monotonic() - start
            except OSError:
                pass
            time.sleep(0.01)
        raise RuntimeError("the connections did not reach the state that was waited for")


def confirmed(count: int):
    return lambda connections: sum(c["confirmed_tickers"] for c in connections) == count


def feed(count: int, rate: float) -> run.Background:
    return run.Background(
        run.EDGETICK, "simulate", "--port", "0", "--synthetic", ",".join(SYMBOLS[:count]), "--rate", str(rate), core=0)


def connect(each: int):
    def measure(context) -> Result:
        result = Result(unit="s", figures=[], most=2, note="from the process's start until every symbol is confirmed")
        with feed(3 * each, 0.5) as simulator:
            url = simulator.line("listening on ")
            for number in range(context.rounds):
                with Collector(os.path.join(context.directory, f"connect-{number}"), url, each) as collector:
                    result.figures.append(collector.until(confirmed(3 * each)))
        return result
    return measure


def failover(context) -> Result:
    """One of three is cut: how long after the grace period the others have its symbols, confirmed."""
    grace, each = 2, 100
    result = Result(unit="s", figures=[], most=2, note=f"after the grace period of {grace} s, 3 x {each} symbols")
    with feed(3 * each, 1) as simulator:
        url = simulator.line("listening on ")
        for number in range(context.rounds):
            proxy = Proxy(url)
            settings = {
                "WEBSOCKET_FAILOVER_GRACE": str(grace), "WEBSOCKET_FAILOVER_RECOVERY": "1",
                "MASSIVE_WEBSOCKET_RECONNECT_DELAY": "1",
            }
            with Collector(os.path.join(context.directory, f"failover-{number}"), proxy.url, each, **settings) as box:
                box.until(confirmed(3 * each))
                proxy.cut()
                taken = box.until(
                    lambda all: sum(c["confirmed_tickers"] for c in all if c["status"] == "connected") == 3 * each
                    and sum(c["status"] == "connected" for c in all) == 2)
                result.figures.append(taken - grace)
                proxy.restore()
                box.until(lambda all: all_own(all, each))
            proxy.close()
    return result


def all_own(connections: list[dict], each: int) -> bool:
    return all(c["status"] == "connected" and c["confirmed_tickers"] == each for c in connections)


def answers(context, place: str, ready=lambda collector: None, **more: str) -> Result:
    """The status route's p99 with 3 x 1,000 symbols under load, once `ready` returns."""
    result = Result(unit="ms p99", figures=[], most=5, note="3 x 1,000 symbols, 9,000 events/s, a connection a call")
    with feed(3000, 3) as simulator:
        url = simulator.line("listening on ")
        with Collector(place, url, 1000, **more) as collector:
            collector.until(confirmed(3000))
            ready(collector)
            for _ in range(context.rounds):
                times = [collector.get("/api/admin/websocket-status")[0] * 1000 for _ in range(500)]
                result.figures.append(statistics.quantiles(times, n=100)[98])
    return result


def status(context) -> Result:
    return answers(context, os.path.join(context.directory, "status"))


def status_database_hangs(context) -> Result:
    """The same while the database accepts connections and never responds."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        uri = f"postgresql://user@127.0.0.1:{silent.getsockname()[1]}/market"
        return answers(context, os.path.join(context.directory, "status"), DATABASE_URI=uri)


def status_disk_full(context) -> Result:
    """The same on a full file system, once the buffer reports that it is full."""
    def full(collector: Collector) -> None:
        for _ in range(600):
            checks = collector.get("/api/status")[1]["health"]["checks"]
            if checks["buffer"]["status"] != "ok":
                return
            time.sleep(0.1)
        raise RuntimeError("the buffer never reported that the disk is full")

    if os.getuid() != 0:
        raise NotMeasured("a small file system needs root")
    place = os.path.join(context.directory, "small")
    os.mkdir(place)
    run.output("mount", "-t", "tmpfs", "-o", "size=12m", "none", place)
    try:
        return answers(context, os.path.join(place, "data"), full)
    finally:
        run.output("umount", place)
