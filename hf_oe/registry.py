"""Named functions that a user can choose from the command line and add to from one file."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any


def nearest_names(name: str, known: list[str]) -> str:
    """`"did you mean 'a' or 'b'? "` for a misspelt `name`, or an empty string when nothing is near."""
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(map(repr, near))}? " if near else ""


class Registry(dict[str, Callable[..., Any]]):
    """A dictionary of functions by name; an unknown name is answered with the nearest ones.

    Example:
        >>> SCORES = Registry("score")
        >>> @SCORES.register("first_logit")
        ... def first_logit(logits):
        ...     return -logits[:, 0]
    """

    def __init__(self, kind: str):
        super().__init__()
        self.kind = kind

    def register(self, name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Decorator that files a function under `name`; raises `ValueError` if the name is taken."""

        def add(function: Callable[..., Any]) -> Callable[..., Any]:
            if name in self:
                raise ValueError(f"{self.kind} {name!r} is registered already: choose another name.")
            self[name] = function
            return function

        return add

    def __missing__(self, name: str) -> Callable[..., Any]:
        known = sorted(self)
        raise ValueError(
            f"Unknown {self.kind} {name!r}: {nearest_names(str(name), known)}The known ones are {', '.join(known)}."
        )
