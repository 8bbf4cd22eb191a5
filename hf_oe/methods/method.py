"""What an objective needs around it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


def _as_it_is(model: Any) -> Any:
    return model


@dataclass(frozen=True)
class Method:
    """How a model is trained and scored with an objective.

    Attributes:
        score: name of the anomaly score that goes with the objective, evaluated unless others are asked for.
        prepare: from a classifier to the model that the objective trains; one that is prepared already stays as it is.
        own_baseline: whether the baseline, too, is trained for the objective (its outlier half is empty then), not
            for the model's own loss.
        largest_learning_rate: beyond which training with it diverges; the image recipes' short runs stay below.
    """

    score: str = "msp"
    prepare: Callable[[Any], Any] = _as_it_is
    own_baseline: bool = False
    largest_learning_rate: float = math.inf


METHODS: dict[str, Method] = {}
"""By the name of the objective; one that is not here needs nothing around it."""


def method_of(objective: str) -> Method:
    """The method of an objective, by name."""
    return METHODS.get(objective, Method())
