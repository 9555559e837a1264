"""Measures EdgeTick against limits found in the same run: `make bench`, or `make bench ROW=decode`.

Each row runs its limit and its subject in turn, five times, and compares the medians. Ends with status 1 when a row
misses its target or can't be measured.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import traceback

from . import machine, rows
from .captures import Captures
from .row import Context, NotMeasured
from .table import Table

parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
parser.add_argument("--row", default="", help="only the rows whose name begins so")
parser.add_argument("--rounds", type=int, default=5, help="rounds a row (default 5)")
parser.add_argument("--json", help="also write the figures into this file")
options = parser.parse_args()

chosen = [row for row in rows.ALL if row.name.startswith(options.row)]
if not chosen:
    names = ", ".join(row.name for row in rows.ALL)
    sys.exit(f"no row begins with {options.row!r}; there are: {names}")
table = Table()
place = tempfile.mkdtemp(prefix="edgetick-bench-", dir=os.environ.get("TMPDIR", "/tmp"))
context = Context(directory=place, rounds=options.rounds, captures=Captures(place))
try:
    print(f"{machine.description()}; {context.captures.description}", flush=True)
    table.head()
    for row in chosen:
        try:
            table.add(row.name, row.measure(context))
        except NotMeasured as reason:
            table.not_measured(row.name, str(reason))
        except Exception as failure:
            traceback.print_exc()
            table.not_measured(row.name, f"{type(failure).__name__}, above")
finally:
    shutil.rmtree(place, ignore_errors=True)
if options.json:
    with open(options.json, "w") as file:
        json.dump({"machine": machine.description(), "rows": table.figures}, file, indent=1)
if table.faults:
    sys.exit("; ".join(table.faults))
