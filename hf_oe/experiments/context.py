"""What figures of Outlier Exposure are read against: scores that are free, and how near the anomalies are."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from torch import nn

from ..detectors import DETECTORS
from ..detectors.scoring import detectors_among
from ..features import classifier_head

logger = logging.getLogger(__name__)


@dataclass
class ContextArguments:
    """What the recipes of classifiers take to set their figures in context."""

    near: list[str] | None = field(
        default=None,
        metadata={
            "help": "Test corpora that are near the in-distribution set, the others being far from it, for a mean of "
            "each group (default: OpenOOD's groups, where it has them)."
        },
    )
    context_scores: list[str] = field(
        default_factory=lambda: ["energy", "knn"],
        metadata={
            "help": "Scores that only the baseline is evaluated with besides --score, to tell what OE adds to what is "
            "free; msp for no others."
        },
    )

    def __post_init__(self):
        detectors_among(self.context_scores)


def with_context(scores: Sequence[str], context: Sequence[str], model: nn.Module) -> list[str]:
    """The scores and those for context, less the detectors among these if the model has no penultimate features."""
    if set(context) & set(DETECTORS):
        try:
            classifier_head(model)
        except ValueError as error:
            logger.warning("The context scores of features are left out. %s", error)
            context = [name for name in context if name not in DETECTORS]
    return list(dict.fromkeys([*scores, *context]))


def near_and_far(
    near: Sequence[str] | None, corpora: Sequence[str], default: Mapping[str, Sequence[str]]
) -> Mapping[str, Sequence[str]]:
    """The corpora named as near, and all others as far; `default` if none are named.

    Raises `ValueError` for a name that is not among `corpora`.
    """
    if near is None:
        return default
    unknown = [name for name in near if name not in corpora]
    if unknown:
        raise ValueError(f"`near` names {unknown[0]!r}, which is not among the test corpora {', '.join(corpora)}.")
    return {"near": list(near), "far": [name for name in corpora if name not in near]}
