"""The threshold for deployment: above which anomaly score an input is flagged, and how sure that number is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch.utils.data import Dataset

from .config import oe_score, update_oe_settings
from .scores import SCORES, further_outputs, score_outputs
from .suite import collect_logits, named_outputs, predictor


@dataclass(frozen=True)
class Threshold:
    """A threshold and how it was chosen; an input is flagged if its anomaly score is at least `value`.

    Attributes:
        value: the threshold, in the units of the score.
        low, high: bootstrap confidence interval of `value`.
        confidence: of the interval, a fraction.
        score: name of the anomaly score.
        target: "fpr" (share of in-distribution examples flagged) or "recall" (share of anomalies flagged).
        target_value: the share asked for; `achieved` is the one on the examples that the threshold was chosen on.
        examples: their number.
    """

    value: float
    low: float
    high: float
    confidence: float
    score: str
    target: str
    target_value: float
    achieved: float
    examples: int


def threshold_at_fpr(in_scores: ArrayLike, target_fpr: float) -> float:
    """The lowest threshold that flags at most `target_fpr` of the in-distribution scores `(examples,)`."""
    ordered = np.sort(_checked("in_scores", in_scores, "target_fpr", target_fpr))
    flagged = int(np.floor(target_fpr * len(ordered) + 1e-9))
    # The highest score that must pass; the threshold is the next number above it.
    return float(np.nextafter(ordered[len(ordered) - 1 - flagged], np.inf)) if flagged < len(ordered) else -np.inf


def threshold_at_recall(out_scores: ArrayLike, target_recall: float) -> float:
    """The highest threshold that flags at least `target_recall` of the anomalies' scores `(examples,)`."""
    ordered = np.sort(_checked("out_scores", out_scores, "target_recall", target_recall))
    return float(ordered[len(ordered) - int(np.ceil(target_recall * len(ordered) - 1e-9))])


def fit_threshold(
    model: torch.nn.Module | Callable[[Mapping[str, Any]], torch.Tensor],
    in_distribution: Dataset | None = None,
    anomalies: Dataset | None = None,
    *,
    target_fpr: float | None = None,
    target_recall: float | None = None,
    score: str | None = None,
    batch_size: int = 256,
    data_collator: Callable | None = None,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> Threshold:
    """Chooses a threshold on held-out data and stores it in the model's config.

    Give either held-out in-distribution examples and the share of them that may be flagged, or validation anomalies
    and the share of them that must be. The first needs no anomalies, and is what a user can promise; the second holds
    for those anomalies only.

    Args:
        model: a classifier; an `OETrainer` or a pipeline of `hf_oe.pipelines`, which bring their collator; or a
            callable from a collated batch to logits `(batch, classes)` or a mapping of outputs.
        in_distribution, anomalies: map-style datasets with the model's inputs, for a pipeline also raw images or
            texts, or rows with a column `image` or `text`; not the test sets.
        target_fpr, target_recall: fractions in (0, 1), exactly one of them.
        score: one of `hf_oe.scores.SCORES`; by default the one that the model's config records, else `msp`.
        confidence: of the bootstrap interval, from `resamples` draws with `seed`.

    Returns:
        The threshold. A model with a config has it in `model.config.oe["threshold"]` afterwards, as a dictionary.

    Example:
        >>> fit_threshold(model, held_out, target_fpr=0.05).value
    """
    if isinstance(getattr(model, "model", None), torch.nn.Module) and hasattr(model, "data_collator"):
        model, data_collator = model.model, data_collator or model.data_collator
    score = score or oe_score(model)
    if (target_fpr is None) == (target_recall is None):
        raise ValueError("Give exactly one of `target_fpr` and `target_recall`.")
    by_fpr = target_fpr is not None
    dataset, target = (in_distribution, target_fpr) if by_fpr else (anomalies, target_recall)
    if dataset is None:
        needed = ("target_fpr", "in_distribution") if by_fpr else ("target_recall", "anomalies")
        raise ValueError(f"`{needed[0]}` is measured on `{needed[1]}`, which is missing.")
    further = further_outputs(SCORES[score])
    predict = predictor(model, None, further) if isinstance(model, torch.nn.Module) else model
    outputs, _ = collect_logits(predict, dataset, batch_size, data_collator)
    scores = score_outputs(score, named_outputs(outputs)).numpy()
    choose = threshold_at_fpr if by_fpr else threshold_at_recall
    value = choose(scores, target)
    generator = np.random.default_rng(seed)
    draws = [choose(generator.choice(scores, len(scores)), target) for _ in range(resamples)]
    low, high = np.quantile(draws, [(1 - confidence) / 2, (1 + confidence) / 2])
    threshold = Threshold(
        value=value,
        low=float(low),
        high=float(high),
        confidence=confidence,
        score=score,
        target="fpr" if by_fpr else "recall",
        target_value=target,
        achieved=float(np.mean(scores >= value)),
        examples=len(scores),
    )
    update_oe_settings(model, threshold=asdict(threshold))
    return threshold


def _checked(name: str, scores: ArrayLike, target_name: str, target: float) -> np.ndarray:
    scores = np.asarray(scores)
    if scores.ndim != 1 or len(scores) == 0 or np.isnan(scores).any():
        raise ValueError(f"`{name}` must be one-dimensional, not empty and free of NaN, got the shape {scores.shape}.")
    if not 0 < target < 1:
        raise ValueError(f"`{target_name}` must be a fraction between 0 and 1, got {target}.")
    return scores
