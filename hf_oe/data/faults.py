"""Outliers that cannot be read: which errors mean that, how they are replaced, and when there are too many of them."""

from __future__ import annotations

import errno
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import cycle
from typing import Any

Rows = list[Mapping[str, Any]]

UNREADABLE = "unreadable_outlier"
"""Key of a row that stands for an outlier which a stream could not read; its value says why."""

_FEW = 1000
_NEIGHBOURS = 20
_MACHINE = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC}


class TooManyUnreadableError(ValueError):
    """More outliers than `max_unreadable_outliers` allows cannot be read."""


@cache
def network_errors() -> tuple[type[BaseException], ...]:
    """What reading raises when the network fails, not the example."""
    from .corpora._files import UNREACHABLE

    return tuple(kind for kind in UNREACHABLE if kind is not FileNotFoundError)


def is_unreadable(error: Exception) -> bool:
    """Whether an error is the fault of one example, and not of the network, the machine or the installation."""
    if isinstance(error, (MemoryError, ImportError, TooManyUnreadableError)) or isinstance(error, network_errors()):
        return False
    return not (isinstance(error, OSError) and error.errno in _MACHINE)


class UnreadableTally:
    """Counts outliers drawn and those among them that could not be read, and refuses too many.

    Args:
        max_share: of the outliers drawn, between 0 and 1; the first thousand are taken together, since one corrupt
            example in a small batch says little.
    """

    def __init__(self, max_share: float = 0.05):
        self.max_share = max_share
        self.drawn = 0
        self.skipped = 0
        self.examples: list[str] = []

    def draw(self, count: int = 1) -> None:
        self.drawn += count

    def skip(self, name: str, reason: Exception | str) -> None:
        """Counts an unreadable one; raises `TooManyUnreadableError` if that is one too many."""
        self.drawn, self.skipped = self.drawn + 1, self.skipped + 1
        if len(self.examples) < 3:
            self.examples.append(f"{name} ({describe(reason)})")
        if self.skipped > self.max_share * max(self.drawn, _FEW):
            raise TooManyUnreadableError(
                f"{self.skipped} of the first {self.drawn} outliers drawn from `outlier_dataset` cannot be read, such "
                f"as {'; '.join(self.examples)}: mend or replace them, or allow for more with "
                f"`max_unreadable_outliers`, now {self.max_share}."
            )

    def state_dict(self) -> dict[str, Any]:
        return {"drawn": self.drawn, "skipped": self.skipped, "examples": list(self.examples)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.drawn, self.skipped, self.examples = state["drawn"], state["skipped"], list(state["examples"])


def describe(reason: Exception | str) -> str:
    """One line of an error, short enough for a list of them."""
    if isinstance(reason, Exception):
        reason = f"{type(reason).__name__}: {reason}"
    return " ".join(reason.split())[:200]


def fetch_rows(dataset: Any, indices: Sequence[int]) -> Rows:
    """Rows of a map-style dataset, as one batch if it can."""
    if hasattr(dataset, "__getitems__"):
        return list(dataset.__getitems__(list(indices)))
    return [dataset[index] for index in indices]


def fetch_readable_rows(dataset: Any, indices: Sequence[int]) -> tuple[Rows, list[tuple[int, str]]]:
    """Rows of a map-style dataset, each unreadable one replaced by the next readable one of the same batch.

    What is drawn is a function of `indices` alone, so a resumed run replaces the same rows by the same others.

    Returns:
        The rows, as many as `indices`, and (index, reason) of each that could not be read.

    Raises:
        TooManyUnreadableError: neither they nor their neighbours can be read.
    """
    try:
        return fetch_rows(dataset, indices), []
    except Exception as error:
        if not is_unreadable(error):
            raise
    rows, unreadable = _one_by_one(dataset, indices)
    if not rows:
        neighbours = [(indices[0] + step) % len(dataset) for step in range(1, _NEIGHBOURS + 1)]
        rows, _ = _one_by_one(dataset, neighbours)
    if not rows:
        listed = "; ".join(f"index {index} ({reason})" for index, reason in unreadable[:3])
        raise TooManyUnreadableError(
            f"None of the {len(unreadable)} outliers of a batch can be read, such as {listed}: mend or replace "
            "`outlier_dataset`."
        )
    bad = {index for index, _ in unreadable}
    readable, spare = iter(rows), cycle(rows)
    return [next(spare) if index in bad else next(readable) for index in indices], unreadable


def _one_by_one(dataset: Any, indices: Sequence[int]) -> tuple[Rows, list[tuple[int, str]]]:
    rows, unreadable = [], []
    for index in indices:
        try:
            rows += fetch_rows(dataset, [index])
        except Exception as error:
            if not is_unreadable(error):
                raise
            unreadable.append((index, describe(error)))
    return rows, unreadable
