"""Confidence calibration in the presence of anomalies (section 4.4 and appendix C of the paper).

`confidence` is what the model states, in [0, 1]; `correct` says where its prediction was right. An anomaly has no
right prediction, so it counts as misclassified. All metrics take arrays of shape `(examples,)`, compute in float64,
and raise `ValueError` for other shapes, NaN, or values outside those ranges. `weights`, as many numbers above 0, count
examples unequally, as `base_rate_weights` does to state a metric for another share of anomalies than was measured.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import expit, softmax


def fit_temperature(logits: ArrayLike, labels: ArrayLike) -> float:
    """The softmax temperature that minimises the mean cross entropy on held-out examples (section 4.4.1).

    The loss is convex in the inverse temperature; its minimum is found to a relative precision of 1e-9.

    Args:
        logits: float `(examples, classes)`.
        labels: int `(examples,)`.

    Raises:
        ValueError: for other shapes, or where no finite temperature is best: every example is classified correctly
            (the lower the better), or the logits say nothing of the labels (the higher the better).
    """
    logits, labels = np.asarray(logits, dtype=np.float64), np.asarray(labels)
    if logits.ndim != 2 or labels.shape != logits.shape[:1] or len(labels) == 0:
        raise ValueError(
            "`logits` must have the shape (examples, classes) and `labels` (examples,), got "
            f"{logits.shape} and {labels.shape}."
        )
    # Shifting a row changes nothing; the largest logit at 0 keeps every exponential finite.
    logits = logits - logits.max(axis=1, keepdims=True)
    target = logits[np.arange(len(labels)), labels].mean()

    def slope(inverse_temperature: float) -> float:
        """Derivative of the loss: expected logit under the softmax minus that of the label. It rises."""
        probabilities = softmax(inverse_temperature * logits, axis=1)
        return float((probabilities * logits).sum(axis=1).mean() - target)

    if target == 0:
        raise ValueError(
            "`labels` are the largest logit of every example: hold out more, until some are misclassified."
        )
    if slope(0.0) >= 0:
        raise ValueError("`logits` say nothing of `labels`: check that they belong together.")
    upper = 1.0
    while slope(upper) < 0:
        upper *= 2
    return 1 / brentq(slope, 0.0, upper, xtol=1e-12 * upper, rtol=1e-9)


def max_softmax(logits: ArrayLike, temperature: float = 1.0) -> np.ndarray:
    """Maximum softmax probability at a temperature; `(examples, classes)` to `(examples,)`, in [1/classes, 1]."""
    return softmax(np.asarray(logits, dtype=np.float64) / temperature, axis=-1).max(axis=-1)


def sigmoid_max_logit(logits: ArrayLike) -> np.ndarray:
    """Logistic function of the largest logit; `(examples, classes)` to `(examples,)`, in [0, 1] (section 4.4.1)."""
    return expit(np.asarray(logits, dtype=np.float64).max(axis=-1))


def rescale_confidence(confidence: ArrayLike, num_classes: int) -> np.ndarray:
    """0-1 posterior rescaling, `(c - 1/k) / (1 - 1/k)`: no confidence at all becomes possible (section 4.4.1)."""
    if num_classes < 2:
        raise ValueError(f"`num_classes` must be at least 2, got {num_classes}.")
    # Rounding may leave a uniform softmax a hair under 1/k.
    return np.maximum((np.asarray(confidence, dtype=np.float64) - 1 / num_classes) / (1 - 1 / num_classes), 0.0)


def base_rate_weights(in_count: int, out_count: int, base_rate: float) -> np.ndarray:
    """Weights of a pool, in-distribution examples first, under which it has `base_rate` anomalies per normal example.

    Returns:
        float64 `(in_count + out_count,)`, 1 for the in-distribution examples.
    """
    if in_count < 1 or out_count < 1 or not 0 < base_rate < np.inf:
        raise ValueError(
            "`in_count` and `out_count` must be at least 1 and `base_rate` a number above 0, got "
            f"{in_count}, {out_count} and {base_rate}."
        )
    return np.repeat([1.0, base_rate * in_count / out_count], [in_count, out_count])


def rms_calibration_error(
    confidence: ArrayLike, correct: ArrayLike, bin_size: int = 100, weights: ArrayLike | None = None
) -> float:
    """Root mean square of (accuracy - confidence) over bins of `bin_size` examples of similar confidence.

    Examples are sorted by confidence into floor(examples / bin_size) bins, of which the last takes the rest.
    """
    return _rms(*reliability_bins(confidence, correct, bin_size, weights))


def mav_calibration_error(
    confidence: ArrayLike, correct: ArrayLike, bin_size: int = 100, weights: ArrayLike | None = None
) -> float:
    """Mean absolute value of (accuracy - confidence) over the bins of `rms_calibration_error`, which bounds it."""
    return _mav(*reliability_bins(confidence, correct, bin_size, weights))


def soft_f1(confidence: ArrayLike, correct: ArrayLike, weights: ArrayLike | None = None) -> float:
    """F1 score of detecting mistakes by doubt (1 - confidence), counted in shares of examples; higher is better.

    It is 0 where there is no mistake to detect.
    """
    return _soft_f1(*_validated(confidence, correct, weights))


def calibration_metrics(
    confidence: ArrayLike, correct: ArrayLike, weights: ArrayLike | None = None
) -> dict[str, float]:
    """`{"rms", "mav", "soft_f1"}`, fractions of 1, from one sort."""
    examples = _validated(confidence, correct, weights)
    bins = _bins(*examples, 100)
    return {"rms": _rms(*bins), "mav": _mav(*bins), "soft_f1": _soft_f1(*examples)}


def reliability_bins(
    confidence: ArrayLike, correct: ArrayLike, bin_size: int = 100, weights: ArrayLike | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The bins of `rms_calibration_error`, for a reliability diagram.

    Returns:
        `(confidence, accuracy, share)`, each `(bins,)`: the mean confidence, the share of right predictions, and the
        share of all examples that is in the bin.
    """
    if bin_size < 1:
        raise ValueError(f"`bin_size` must be at least 1, got {bin_size}.")
    return _bins(*_validated(confidence, correct, weights), bin_size)


def _rms(confidence: np.ndarray, accuracy: np.ndarray, share: np.ndarray) -> float:
    return float(np.sqrt((share * (accuracy - confidence) ** 2).sum()))


def _mav(confidence: np.ndarray, accuracy: np.ndarray, share: np.ndarray) -> float:
    return float((share * np.abs(accuracy - confidence)).sum())


def _soft_f1(confidence: np.ndarray, correct: np.ndarray, weights: np.ndarray) -> float:
    doubt, wrong = weights * (1 - confidence), ~correct
    # 2 precision recall / (precision + recall), multiplied out.
    total = doubt.sum() + weights[wrong].sum()
    return float(2 * doubt[wrong].sum() / total) if total > 0 else 0.0


def _bins(
    confidence: np.ndarray, correct: np.ndarray, weights: np.ndarray, bin_size: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    order = np.argsort(confidence, kind="stable")
    starts = np.arange(max(1, len(order) // bin_size)) * bin_size
    sums = [np.add.reduceat(values[order], starts) for values in (weights * confidence, weights * correct, weights)]
    return sums[0] / sums[2], sums[1] / sums[2], sums[2] / sums[2].sum()


def _validated(
    confidence: ArrayLike, correct: ArrayLike, weights: ArrayLike | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    confidence, correct = np.asarray(confidence, dtype=np.float64), np.asarray(correct)
    if confidence.ndim != 1 or correct.shape != confidence.shape or len(confidence) == 0:
        raise ValueError(
            "`confidence` and `correct` must be one-dimensional, of the same length and not empty, got the shapes "
            f"{confidence.shape} and {correct.shape}."
        )
    if not (confidence.min() >= 0 and confidence.max() <= 1):  # also where one is NaN
        raise ValueError(
            f"`confidence` must lie between 0 and 1, got values from {confidence.min():g} to {confidence.max():g}: "
            "give probabilities, not logits."
        )
    mask = correct == 1
    if not np.array_equal(mask, correct):
        raise ValueError(
            "`correct` must be 1 where the prediction is right and 0 where it is wrong, got other values."
        )
    weights = np.ones(len(mask)) if weights is None else np.asarray(weights, dtype=np.float64)
    if weights.shape != mask.shape or not (weights.min() > 0 and weights.max() < np.inf):
        raise ValueError(
            "`weights` must be as many finite numbers above 0 as there are examples, got the shape "
            f"{weights.shape} for {len(mask)} examples."
        )
    return confidence, mask, weights
