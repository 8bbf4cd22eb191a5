"""Methods beyond the plain objective, one file each. Importing this registers their objectives and scores by name."""

from . import confidence_branch, energy_bounded, hard_outliers, multilabel, reject
from .method import METHODS, Method, method_of

__all__ = [
    "METHODS",
    "Method",
    "confidence_branch",
    "energy_bounded",
    "hard_outliers",
    "method_of",
    "multilabel",
    "reject",
]
