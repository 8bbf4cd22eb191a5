"""Detection metrics of the paper (section 4.1), exact on ties, from one sort of the scores.

Anomalies are the positive class and a higher score means more anomalous; an example is flagged if its score is at
least the threshold. All functions take two one-dimensional arrays of scores, `in_scores` of in-distribution examples
and `out_scores` of anomalies, of any real dtype, and compare them in that dtype; infinities are allowed and ordered.
They raise `ValueError` for an empty class, NaN, another shape or dtype, and a recall level outside (0, 1].
"""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike


class _Ranking(NamedTuple):
    """For each distinct score of the anomalies, upwards: how many examples of either class score less, or the same."""

    in_below: np.ndarray
    in_tied: np.ndarray
    out_below: np.ndarray
    out_tied: np.ndarray
    in_count: int
    out_count: int


def detection_metrics(
    in_scores: ArrayLike, out_scores: ArrayLike, recall_level: float | Sequence[float] = 0.95
) -> dict[str, Any]:
    """FPR, AUROC and AUPR together.

    Returns:
        `{"fpr", "auroc", "aupr"}`, fractions of 1. Several recall levels add `"fpr_at"`, a dictionary from level to
        false-positive rate; `"fpr"` is at the first.
    """
    several = np.ndim(recall_level) > 0
    levels = [_validated_level(level) for level in (recall_level if several else [recall_level])]
    if not levels:
        raise ValueError("`recall_level` is an empty list: give at least one fraction in (0, 1].")
    ranking = _rank(in_scores, out_scores)
    rates = {level: _fpr_at_recall(ranking, level) for level in levels}
    metrics = {"fpr": rates[levels[0]], "auroc": _auroc(ranking), "aupr": _aupr(ranking)}
    return {**metrics, "fpr_at": rates} if several else metrics


def fpr_at_recall(in_scores: ArrayLike, out_scores: ArrayLike, recall_level: float = 0.95) -> float:
    """FPRN: in-distribution share flagged at the strictest threshold that detects at least N % of the anomalies.

    Args:
        recall_level: N as a fraction, in (0, 1].
    """
    level = _validated_level(recall_level)
    return _fpr_at_recall(_rank(in_scores, out_scores), level)


def auroc(in_scores: ArrayLike, out_scores: ArrayLike) -> float:
    """Area under the ROC curve: the chance that an anomaly outscores a normal example, ties counting half."""
    return _auroc(_rank(in_scores, out_scores))


def aupr(in_scores: ArrayLike, out_scores: ArrayLike) -> float:
    """Area under the precision-recall curve as average precision, without interpolation. Depends on the base rate."""
    return _aupr(_rank(in_scores, out_scores))


def precision_at_recall(
    in_scores: ArrayLike, out_scores: ArrayLike, recall_level: float = 0.95, base_rate: float = 0.2
) -> float:
    """Share of anomalies among the flagged examples at the threshold of `fpr_at_recall`, at a stated base rate.

    The two classes are weighted, not subsampled, so every score counts and nothing is drawn.

    Args:
        recall_level: as for `fpr_at_recall`.
        base_rate: anomalies per in-distribution example where the detector will run (the paper's tests: 0.2).
    """
    level = _validated_level(recall_level)
    precision, recall = precision_recall_curve(in_scores, out_scores, base_rate)
    return float(precision[np.count_nonzero(recall >= level) - 1])


def precision_recall_curve(
    in_scores: ArrayLike, out_scores: ArrayLike, base_rate: float | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The precision-recall curve, one point a distinct score of an anomaly.

    Args:
        base_rate: as for `precision_at_recall`; by default that of the scores, for which `aupr` is the area under it.

    Returns:
        `(precision, recall)`, float64 arrays of equal length; the recall falls from 1.
    """
    ranking = _rank(in_scores, out_scores)
    if base_rate is None:
        base_rate = ranking.out_count / ranking.in_count
    if not isinstance(base_rate, Real) or not 0 < base_rate < np.inf:
        raise ValueError(f"`base_rate` must be a number above 0, got {base_rate!r}: anomalies per normal example.")
    recall = (ranking.out_count - ranking.out_below) / ranking.out_count  # falls as the threshold rises
    detected, false_alarms = base_rate * recall, (ranking.in_count - ranking.in_below) / ranking.in_count
    return detected / (detected + false_alarms), recall


def roc_curve(in_scores: ArrayLike, out_scores: ArrayLike) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The ROC curve, one point a distinct score.

    Returns:
        `(fpr, tpr, thresholds)`, arrays of equal length, from (0, 0) at threshold infinity to (1, 1). The rates are
        float64; the thresholds have the dtype of the scores, float64 if those are integers.
    """
    in_sorted = np.sort(_validated("in_scores", in_scores))
    out_sorted = np.sort(_validated("out_scores", out_scores))
    thresholds = np.unique(np.concatenate([in_sorted, out_sorted]))[::-1]
    fpr = (len(in_sorted) - np.searchsorted(in_sorted, thresholds)) / len(in_sorted)
    tpr = (len(out_sorted) - np.searchsorted(out_sorted, thresholds)) / len(out_sorted)
    return np.r_[0.0, fpr], np.r_[0.0, tpr], np.r_[np.inf, thresholds]


def _validated_level(recall_level: float) -> float:
    if not isinstance(recall_level, Real) or not 0 < recall_level <= 1:
        raise ValueError(f"`recall_level` must be a fraction in (0, 1], got {recall_level!r}.")
    return float(recall_level)


def _validated(name: str, scores: ArrayLike) -> np.ndarray:
    """`scores` as an array, after every check."""
    try:
        scores = np.asarray(scores)
    except (TypeError, ValueError, RuntimeError) as error:  # a ragged list; a tensor on a GPU or with gradient
        raise ValueError(f"`{name}` must be an array, a list or a CPU tensor that NumPy can read: {error}") from error
    if scores.ndim != 1:
        raise ValueError(f"`{name}` must be one-dimensional, got the shape {scores.shape}: give one score an example.")
    if len(scores) == 0:
        raise ValueError(f"`{name}` is empty: detection metrics need examples of both classes.")
    if scores.dtype.kind not in "biuf":
        raise ValueError(f"`{name}` must hold real numbers, got the dtype {scores.dtype}.")
    if np.isnan(scores.max()):
        count = int(np.isnan(scores).sum())
        raise ValueError(f"`{name}` holds {count} NaN of {len(scores)}: find out which examples the model fails on.")
    return scores


def _rank(in_scores: ArrayLike, out_scores: ArrayLike) -> _Ranking:
    in_scores, out_scores = _validated("in_scores", in_scores), _validated("out_scores", out_scores)
    # Of equal scores those of anomalies come first.
    ordered, order = _stable_sort(np.concatenate([out_scores, in_scores]))
    places = np.flatnonzero(order < len(out_scores))
    out_sorted = ordered[places]
    out_below = np.flatnonzero(np.r_[True, out_sorted[1:] != out_sorted[:-1]])
    out_tied = np.diff(out_below, append=len(out_sorted))
    first = places[out_below]
    in_tied = np.zeros_like(first)
    # Few scores are shared by both classes: only these are worth a search.
    after = np.minimum(first + out_tied, len(ordered) - 1)
    shared = np.flatnonzero((ordered[after] == ordered[first]) & (after == first + out_tied))
    in_tied[shared] = np.searchsorted(ordered, ordered[first[shared]], side="right") - after[shared]
    return _Ranking(first - out_below, in_tied, out_below, out_tied, len(in_scores), len(out_scores))


def _stable_sort(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sorted numbers that are ordered as `scores` are, and the indices of the scores that they stand for.

    As integers they are sorted by radix, in a third of the time or less that NumPy takes to compare floats.
    """
    if scores.dtype == np.float16:
        scores = scores.astype(np.float32)
    if scores.dtype in (np.float32, np.float64):
        integer = np.dtype(f"i{scores.itemsize}")
        keys = (scores + 0).view(integer)  # the sum has no negative zero
        # The bits of negative floats rise as the floats fall.
        keys ^= (keys >> (8 * integer.itemsize - 1)) & np.iinfo(integer).max
    elif np.can_cast(scores.dtype, np.int64):
        keys = scores.astype(np.int64)
    else:
        order = np.argsort(scores, kind="stable")
        return scores[order], order
    # Made by NumPy, which has the system map large arrays in large pages.
    ordered, order = np.empty_like(keys), np.empty(len(keys), dtype=np.int64)
    torch.sort(torch.from_numpy(keys), stable=True, out=(torch.from_numpy(ordered), torch.from_numpy(order)))
    return ordered, order


def _fpr_at_recall(ranking: _Ranking, recall_level: float) -> float:
    recall = (ranking.out_count - ranking.out_below) / ranking.out_count  # falls as the threshold rises
    strictest = np.count_nonzero(recall >= recall_level) - 1
    return float((ranking.in_count - ranking.in_below[strictest]) / ranking.in_count)


def _auroc(ranking: _Ranking) -> float:
    doubled_wins = int(np.sum(ranking.out_tied * (2 * ranking.in_below + ranking.in_tied)))
    return doubled_wins / (2 * ranking.in_count * ranking.out_count)


def _aupr(ranking: _Ranking) -> float:
    # Recall rises equally at each anomaly, so average precision is the mean precision at their own thresholds.
    detected = ranking.out_count - ranking.out_below
    false_alarms = ranking.in_count - ranking.in_below
    return float(np.average(detected / (detected + false_alarms), weights=ranking.out_tied))
