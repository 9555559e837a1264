"""Input: the real captures where they lie beside the project, else the bundled one."""

import glob
import gzip
import os

from .run import ROOT


def paths(kind: str) -> list[str]:
    """The capture files of AM, A, T or Q."""
    real = sorted(glob.glob(os.path.join(ROOT, f"../shared/data/captures/2013-10-08.{kind}.ndjson.gz")))
    return real or [os.path.join(ROOT, "Fixtures/captures/demo.ndjson")]


def lines(path: str):
    with (gzip.open(path, "rt") if path.endswith(".gz") else open(path)) as file:
        yield from (line.strip() for line in file if line.strip())


def frames(kinds: list[str], each: int, most: int) -> list[str]:
    """Frames of `each` events, in the very bytes in which the events stand in the captures."""
    events: list[str] = []
    for kind in kinds:
        for path in paths(kind):
            for line in lines(path):
                body = line[1:-1] if line.startswith("[") else line
                for event in body.replace("},{", "}\n{").split("\n"):
                    if f'"ev":"{kind}"' in event:
                        events.append(event)
                if len(events) >= most:
                    break
    groups = [events[i:i + each] for i in range(0, min(len(events), most), each)]
    return ["[" + ",".join(group) + "]" for group in groups if len(group) == each]
