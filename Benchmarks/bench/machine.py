"""What the figures were measured on, and where its load stood."""

import os
import platform


def load() -> float:
    return os.getloadavg()[0]


def cores() -> list[int]:
    return sorted(os.sched_getaffinity(0))


def pinned(core: int) -> list[str]:
    """The command that keeps a program on one core, counted from the first allowed one."""
    allowed = cores()
    return ["taskset", "-c", str(allowed[core % len(allowed)])] if len(allowed) > 1 else []


def description() -> str:
    with open("/proc/cpuinfo") as file:
        model = next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), "?")
    kernel = ".".join(platform.release().split(".")[:2])
    return f"{len(cores())} cores of {model}, Linux {kernel}, load {load():.2f} at the start"
