"""Out-of-distribution detection metrics: FPR at N % recall, AUROC, AUPR."""

from __future__ import annotations

import datasets
import evaluate
import numpy as np

from hf_oe.detection import detection_metrics

_DESCRIPTION = """
How well an anomaly score tells anomalies from in-distribution examples: the false-positive rate at N % recall, the
area under the ROC curve, and the area under the precision-recall curve. Anomalies are the positive class.
"""

_KWARGS_DESCRIPTION = """
Args:
    predictions (`list` of `float`): anomaly scores, higher for more anomalous.
    references (`list` of `int` or `bool`): 1 for an anomaly, 0 for an in-distribution example.
    recall_level (`float` or `list` of `float`): share of anomalies to detect, in (0, 1]. Defaults to 0.95.

Returns:
    fpr (`float`): share of in-distribution examples flagged at the strictest threshold that detects at least
        `recall_level` of the anomalies; at the first one of several.
    auroc (`float`): area under the ROC curve, ties counting half.
    aupr (`float`): average precision. Depends on the base rate of anomalies.
    fpr_at_<level> (`float`): for each level, if several were given.

Examples:
    >>> ood = evaluate.load("metrics/ood")
    >>> ood.compute(predictions=[0.1, 0.4, 0.35, 0.8], references=[0, 0, 1, 1])
    {'fpr': 0.5, 'auroc': 0.75, 'aupr': 0.8333333333333333}
"""

_CITATION = """
@article{hendrycks2018deep,
  title={Deep Anomaly Detection with Outlier Exposure},
  author={Hendrycks, Dan and Mazeika, Mantas and Dietterich, Thomas},
  journal={arXiv preprint arXiv:1812.04606},
  year={2018}
}
"""


@evaluate.utils.file_utils.add_start_docstrings(_DESCRIPTION, _KWARGS_DESCRIPTION)
class OOD(evaluate.Metric):
    def _info(self):
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation=_CITATION,
            inputs_description=_KWARGS_DESCRIPTION,
            # References are floats, too: as integers, Arrow would cut 0.5 to 0 where it is to be refused.
            features=datasets.Features(
                {"predictions": datasets.Value("float64"), "references": datasets.Value("float64")}
            ),
            # Not "numpy", which would cast scores to float32 and tie those of a saturated softmax.
            format=None,
            reference_urls=["https://arxiv.org/abs/1812.04606"],
        )

    def compute(self, *, predictions=None, references=None, **kwargs):
        """Computes the metrics; see below."""
        if (predictions is None) != (references is None):
            raise ValueError("`predictions` and `references` belong together, got only one of them.")
        if predictions is None or self.writer is not None or self.num_process > 1:
            return super().compute(predictions=predictions, references=references, **kwargs)
        # All at once: a detour through an Arrow file would take most of the time.
        return self._compute(predictions, references, **kwargs)

    def _compute(self, predictions, references, recall_level=0.95):
        scores, is_ood = _as_scores(predictions), _as_mask(references)
        if scores.shape != is_ood.shape or scores.ndim != 1:
            raise ValueError(
                "`predictions` and `references` must be one-dimensional and of the same length, got the shapes "
                f"{scores.shape} and {is_ood.shape}."
            )
        if is_ood.all() or not is_ood.any():
            raise ValueError(
                f"`references` must hold both classes, got {int(is_ood.sum())} anomalies (1) among {len(is_ood)} "
                "examples."
            )
        # Indices are faster than the masks.
        inliers, outliers = np.flatnonzero(~is_ood), np.flatnonzero(is_ood)
        metrics = detection_metrics(scores[inliers], scores[outliers], recall_level)
        by_level = metrics.pop("fpr_at", {})
        return {**metrics, **{f"fpr_at_{level:g}": rate for level, rate in by_level.items()}}


def _as_scores(predictions) -> np.ndarray:
    try:
        scores = np.asarray(predictions)
        # Single precision orders the same scores as double, and faster; all else becomes what Arrow makes of it.
        scores = scores if scores.dtype.kind == "f" else scores.astype(np.float64)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"`predictions` must be numbers that NumPy can read: {error}") from error
    if np.isnan(scores).any():
        raise ValueError(f"`predictions` must not be NaN, got {int(np.isnan(scores).sum())} of {scores.size}.")
    return scores


def _as_mask(references) -> np.ndarray:
    references = np.asarray(references)
    mask = references == 1
    if not np.array_equal(mask, references):
        raise ValueError("`references` must be 1 for anomalies and 0 for in-distribution examples, got other values.")
    return mask
