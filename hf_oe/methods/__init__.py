"""Methods beyond the plain objective, one file each. Importing this registers their objectives and scores by name."""

from . import (
    confidence_branch,
    dal,
    divoe,
    energy_bounded,
    hard_outliers,
    language_model,
    margin,
    mixoe,
    multilabel,
    ntom,
    poem,
    reject,
    vos,
)
from .method import METHODS, Method, method_of

__all__ = [
    "METHODS",
    "Method",
    "confidence_branch",
    "dal",
    "divoe",
    "energy_bounded",
    "hard_outliers",
    "language_model",
    "margin",
    "method_of",
    "mixoe",
    "multilabel",
    "ntom",
    "poem",
    "reject",
    "vos",
]
