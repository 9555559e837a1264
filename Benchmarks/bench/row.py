"""What a row of the table is, and what it is measured with."""

from dataclasses import dataclass
from typing import Callable

from .captures import Captures
from .table import Result


class NotMeasured(Exception):
    """A row can't be measured here; the text says why."""


@dataclass
class Context:
    """The scratch directory, the rounds of each row, and the input."""

    directory: str
    rounds: int
    captures: Captures


@dataclass
class Row:
    name: str
    measure: Callable[[Context], Result]
