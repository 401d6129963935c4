"""Errors: what is wrong, where, and what to do next."""

from __future__ import annotations

import json
from typing import Any, NamedTuple


class Place(NamedTuple):
    """Where a scenario is wrong."""

    file: str
    line: int
    column: int
    width: int
    text: str


class FlopcastError(Exception):
    """What went wrong, in the words of the command line.

    ``path`` is the key of the scenario (``training.hardware.cuont``), ``place`` where it stands in
    its text, ``hints`` what can be done next; each is None or empty where it is not known.
    ``others`` are further faults of the same scenario.
    """

    def __init__(self, words: str, fault: dict[str, Any] | None = None) -> None:
        super().__init__(words, fault)
        fault = fault or {}
        self.message: str = fault.get("message", words)
        self.path: str | None = fault.get("path")
        self.place: Place | None = Place(**fault["place"]) if "place" in fault else None
        self.hints: list[str] = fault.get("hints", [])
        self.others: list[FlopcastError] = [
            type(self)(other["message"], other) for other in fault.get("others", [])
        ]

    @property
    def hint(self) -> str | None:
        """What to do next."""
        return "; ".join(self.hints) or None

    def __str__(self) -> str:
        return str(self.args[0])


class InputError(FlopcastError, ValueError):
    """The scenario, or what is asked of it, is wrong."""


class LimitError(FlopcastError):
    """A limit, a budget or the memory is exceeded."""


class LiveError(FlopcastError):
    """A live source failed."""


_KINDS: dict[str, type[FlopcastError]] = {
    "input": InputError,
    "limit": LimitError,
    "live": LiveError,
}


def of(fault: str, words: str) -> FlopcastError:
    """The exception of a fault as JSON; the native half raises it."""
    error = json.loads(fault)["error"]
    return _KINDS.get(error.get("kind"), FlopcastError)(words, error)
