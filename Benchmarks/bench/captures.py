"""Input: the real captures where they are beside the project, else generated ones of the same shapes."""

import glob
import gzip
import os
import re
from collections import Counter
from typing import Iterator

from . import generated
from .run import ROOT

DAY = os.path.join(ROOT, "../shared/data/captures/2013-10-08.{kind}.ndjson.gz")


class Captures:
    """Capture files by kind of event; the generated ones are written into `directory` when they are first needed."""

    def __init__(self, directory: str) -> None:
        self.directory = directory

    @property
    def description(self) -> str:
        return "real captures" if self._real("T") else f"generated captures, seed {generated.SEED}"

    def paths(self, kind: str) -> list[str]:
        """The capture files of AM, A or T."""
        return self._real(kind) or [self._generated(kind)]

    @staticmethod
    def _real(kind: str) -> list[str]:
        return sorted(glob.glob(DAY.format(kind=kind)))

    def _generated(self, kind: str) -> str:
        path = os.path.join(self.directory, f"generated.{kind}.ndjson")
        if not os.path.exists(path):
            with open(path + ".part", "w") as file:
                file.writelines(frame + "\n" for frame in generated.frames(kind))
            os.rename(path + ".part", path)
        return path

    def lines(self, kind: str) -> Iterator[str]:
        for path in self.paths(kind):
            with (gzip.open(path, "rt") if path.endswith(".gz") else open(path)) as file:
                yield from (line.strip() for line in file if line.strip())

    def count(self, kinds: list[str]) -> int:
        """The number of events of some kinds."""
        return sum(line.count(f'"ev":"{kind}"') for kind in kinds for line in self.lines(kind))

    def by_symbol(self, kinds: list[str]) -> Counter[str]:
        """The number of events of some kinds of each symbol."""
        return Counter(
            symbol for kind in kinds for line in self.lines(kind)
            for symbol in re.findall(rf'"ev":"{kind}","sym":"([^"]+)"', line))

    def frames(self, kinds: list[str], each: int, most: int) -> list[str]:
        """Frames of `each` events, in the same bytes as the events have in the captures."""
        events: list[str] = []
        for kind in kinds:
            for line in self.lines(kind):
                if len(events) >= most:
                    break
                events += [event for event in line[1:-1].replace("},{", "}\n{").split("\n") if f'"ev":"{kind}"' in event]
        groups = [events[i:i + each] for i in range(0, min(len(events), most), each)]
        return ["[" + ",".join(group) + "]" for group in groups if len(group) == each]
