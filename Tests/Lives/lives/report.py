"""Results: a line of JSON for each round, appended to a file that many runs may share, and the sum of all lines."""

import json
import os
from collections import Counter

from .judge import Verdict
from .sequence import KINDS, Sequence
from .outcome import Settled

COUNTS = ("lost", "doubled", "wrong", "silent")


def line(
    sequence: Sequence, binary: str, seconds: float, written: int, verdict: Verdict, settled: Settled, notes: list[str]
) -> dict:
    """What is kept of a round."""
    last_word = [f"box {box}: {words}" for box, all_words in settled.told.items() for words in all_words]
    return {
        "seed": sequence.seed, "binary": binary, "seconds": round(seconds, 1),
        "steps": [str(step) for step in sequence.steps], "kinds": dict(Counter(step.kind for step in sequence.steps)),
        "fills": sequence.fills, "filled": verdict.filled,
        "due": verdict.due, "written": written, "upstream": verdict.upstream, "explained": dict(verdict.explained),
        "lost": verdict.lost, "told": verdict.told, "doubled": verdict.doubled, "wrong": verdict.wrong,
        "silent": verdict.silent, "wild": verdict.wild, "asked": settled.asked,
        "last_word": last_word, "late": settled.late, "contradictions": settled.contradictions,
        "verified": settled.verified, "notes": notes,
        "examples": {what: words for what, words in verdict.examples.items()},
    }


def failed(result: dict) -> bool:
    return "error" in result or any(result[name] for name in COUNTS) or bool(result["late"])


def append(path: str, result: dict) -> None:
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with open(path, "a") as file:
        file.write(json.dumps(result) + "\n")


def read(path: str) -> list[dict]:
    if not os.path.exists(path):
        return []
    with open(path) as file:
        return [json.loads(text) for text in file if text.strip()]


def summary(results: list[dict]) -> str:
    """The sum over all rounds, as a table."""
    whole = [result for result in results if "error" not in result]
    broken = len(results) - len(whole)
    kinds: Counter[str] = Counter()
    explained: Counter[str] = Counter()
    for result in whole:
        kinds.update(result["kinds"])
        explained.update(result["explained"])
    names = ("due", "written", "upstream", "filled", "told", "wild", *COUNTS)
    total = {name: sum(result.get(name, 0) for result in whole) for name in names}
    rows = [f"{len(whole)} rounds" + (f", {broken} more broke off in the harness" if broken else "")
            + f"; {sum(map(failed, whole))} failed; "
            + f"{sum(result['seconds'] for result in whole) / max(1, len(whole)):.1f} s a round"]
    rows.append(f"events due {total['due']}, written to a collector {total['written']}, upstream {total['upstream']}, "
                + ", ".join(f"{name} {count}" for name, count in sorted(explained.items()))
                + f", told {total['told']}; gaps that reach far out of their round: {total['wild']}")
    rows.append("  ".join(f"{name} {total[name]}" for name in COUNTS))
    rows.append(f"rounds in which collectors filled gaps by themselves: {sum(result.get('fills', False) for result in whole)}; "
                f"rows upstream that came by REST: {total['filled']}")
    asked = sum(bool(result["asked"]) for result in whole)
    rows.append(f"rounds in which a person was asked: {asked}; in which a collector was not well at the end: "
                f"{sum(bool(result['last_word']) for result in whole)}")
    alarms = sum(bool(result["verified"]) and not failed(result) and not result["told"] for result in whole)
    rows.append(f"edgetick verify complained in {sum(bool(result['verified']) for result in whole)} rounds, in {alarms} of them "
                "though nothing was lost, doubled or wrong; health and status --check disagreed in "
                f"{sum(bool(result['contradictions']) for result in whole)}")
    rows.append("actions: " + ", ".join(f"{name} {kinds[kind]}" for kind, (_, name) in KINDS.items()))
    return "\n".join(rows)


def shown(result: dict) -> str:
    """A round that failed, in full."""
    rows = [f"seed {result['seed']}: " + (result.get("error") or ", ".join(f"{result[name]} {name}" for name in COUNTS))]
    rows += [f"    step {step}" for step in result.get("steps", [])]
    for what in ("notes", "late", "asked", "last_word", "contradictions", "verified"):
        rows += [f"    {what}: {words}" for words in result.get(what, [])]
    for what, examples in result.get("examples", {}).items():
        rows += [f"    {what}: {words}" for words in examples]
    return "\n".join(rows)
