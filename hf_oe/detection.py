"""Detection metrics of the paper (section 4.1), exact on ties, from one sort of the scores.

Anomalies are the positive class and a higher score means more anomalous; an example is flagged if its score is at
least the threshold. All functions take two one-dimensional arrays of scores, `in_scores` of in-distribution examples
and `out_scores` of anomalies, of any real dtype, and compare them in that dtype; infinities are allowed and ordered.
They raise `ValueError` for an empty class, NaN, or another shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike


class _Ranking(NamedTuple):
    """Both classes sorted upwards, and for every anomaly how many examples of either class score lower."""

    in_sorted: np.ndarray
    out_sorted: np.ndarray
    in_below: np.ndarray
    out_below: np.ndarray


def detection_metrics(
    in_scores: ArrayLike, out_scores: ArrayLike, recall_level: float | Sequence[float] = 0.95
) -> dict[str, Any]:
    """FPR, AUROC and AUPR together.

    Returns:
        `{"fpr", "auroc", "aupr"}`, fractions of 1. Several recall levels add `"fpr_at"`, a dictionary from level to
        false-positive rate; `"fpr"` is at the first.
    """
    levels = [recall_level] if np.ndim(recall_level) == 0 else list(recall_level)
    ranking = _rank(in_scores, out_scores)
    rates = {level: _fpr_at_recall(ranking, level) for level in levels}
    metrics = {"fpr": rates[levels[0]], "auroc": _auroc(ranking), "aupr": _aupr(ranking)}
    return metrics if np.ndim(recall_level) == 0 else {**metrics, "fpr_at": rates}


def fpr_at_recall(in_scores: ArrayLike, out_scores: ArrayLike, recall_level: float = 0.95) -> float:
    """FPRN: in-distribution share flagged at the strictest threshold that detects at least N % of the anomalies.

    Args:
        recall_level: N as a fraction, in (0, 1].
    """
    return _fpr_at_recall(_rank(in_scores, out_scores), recall_level)


def auroc(in_scores: ArrayLike, out_scores: ArrayLike) -> float:
    """Area under the ROC curve: the chance that an anomaly outscores a normal example, ties counting half."""
    return _auroc(_rank(in_scores, out_scores))


def aupr(in_scores: ArrayLike, out_scores: ArrayLike) -> float:
    """Area under the precision-recall curve as average precision, without interpolation. Depends on the base rate."""
    return _aupr(_rank(in_scores, out_scores))


def roc_curve(in_scores: ArrayLike, out_scores: ArrayLike) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The ROC curve, one point a distinct score.

    Returns:
        `(fpr, tpr, thresholds)`, float64 arrays of equal length, from (0, 0) at threshold infinity to (1, 1).
    """
    in_sorted, out_sorted = _validated("in_scores", in_scores), _validated("out_scores", out_scores)
    thresholds = np.unique(np.concatenate([in_sorted, out_sorted]))[::-1]
    fpr = (len(in_sorted) - np.searchsorted(in_sorted, thresholds)) / len(in_sorted)
    tpr = (len(out_sorted) - np.searchsorted(out_sorted, thresholds)) / len(out_sorted)
    return np.r_[0.0, fpr], np.r_[0.0, tpr], np.r_[np.inf, thresholds]


def _validated(name: str, scores: ArrayLike) -> np.ndarray:
    """`scores` as a sorted array, after every check."""
    scores = np.asarray(scores)
    if scores.ndim != 1:
        raise ValueError(f"`{name}` must be one-dimensional, got the shape {scores.shape}: give one score an example.")
    if len(scores) == 0:
        raise ValueError(f"`{name}` is empty: detection metrics need examples of both classes.")
    if not (np.issubdtype(scores.dtype, np.number) or scores.dtype == bool) or np.iscomplexobj(scores):
        raise ValueError(f"`{name}` must hold real numbers, got the dtype {scores.dtype}.")
    scores = np.sort(scores)
    if np.isnan(scores[-1]):  # NaN sorts last
        count = int(np.isnan(scores).sum())
        raise ValueError(f"`{name}` holds {count} NaN of {len(scores)}: find out which examples the model fails on.")
    return scores


def _rank(in_scores: ArrayLike, out_scores: ArrayLike) -> _Ranking:
    in_sorted, out_sorted = _validated("in_scores", in_scores), _validated("out_scores", out_scores)
    first_of_ties = np.r_[True, out_sorted[1:] != out_sorted[:-1]]
    positions = np.arange(len(out_sorted))
    out_below = np.maximum.accumulate(np.where(first_of_ties, positions, 0))
    return _Ranking(in_sorted, out_sorted, np.searchsorted(in_sorted, out_sorted), out_below)


def _fpr_at_recall(ranking: _Ranking, recall_level: float) -> float:
    if not 0 < recall_level <= 1:
        raise ValueError(f"`recall_level` must be a fraction in (0, 1], got {recall_level}.")
    count = len(ranking.out_sorted)
    detected = int(np.ceil(recall_level * count))
    if detected > 1 and (detected - 1) / count >= recall_level:  # the product was rounded up past an integer
        detected -= 1
    negatives = len(ranking.in_sorted)
    return float((negatives - ranking.in_below[count - detected]) / negatives)


def _auroc(ranking: _Ranking) -> float:
    in_sorted, out_sorted, in_below, _ = ranking
    tied = np.flatnonzero(in_sorted[np.minimum(in_below, len(in_sorted) - 1)] == out_sorted)
    ties = np.searchsorted(in_sorted, out_sorted[tied], side="right") - in_below[tied]
    wins = int(in_below.sum()) + int(ties.sum()) / 2
    return wins / (len(in_sorted) * len(out_sorted))


def _aupr(ranking: _Ranking) -> float:
    # Recall rises equally at each anomaly, so average precision is the mean precision at their own thresholds.
    detected = len(ranking.out_sorted) - ranking.out_below
    false_alarms = len(ranking.in_sorted) - ranking.in_below
    return float(np.mean(detected / (detected + false_alarms)))
