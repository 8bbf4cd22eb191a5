"""Confidence calibration metrics: RMS and MAV calibration error, soft F1."""

from __future__ import annotations

import datasets
import evaluate

from hf_oe.calibration import calibration_metrics

_DESCRIPTION = """
Whether a classifier's stated confidence is the share of its predictions that are right, measured in bins of 100
examples of similar confidence; and whether low confidence gives its mistakes away.
"""

_KWARGS_DESCRIPTION = """
Args:
    predictions (`list` of `float`): confidences in [0, 1].
    references (`list` of `int` or `bool`): 1 where the prediction is right, 0 where it is wrong. An anomaly has no
        right prediction: 0.

Returns:
    rms (`float`): root mean square of (accuracy - confidence) over the bins.
    mav (`float`): mean absolute value of the same, a lower bound of `rms`.
    soft_f1 (`float`): F1 score of detecting mistakes by doubt.

Examples:
    >>> calibration = evaluate.load("metrics/calibration")
    >>> calibration.compute(predictions=[1.0, 0.75, 0.5, 0.25], references=[1, 1, 1, 0])
    {'rms': 0.125, 'mav': 0.125, 'soft_f1': 0.6}
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
class Calibration(evaluate.Metric):
    def _info(self):
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation=_CITATION,
            inputs_description=_KWARGS_DESCRIPTION,
            features=datasets.Features(
                {"predictions": datasets.Value("float64"), "references": datasets.Value("float64")}
            ),
            # Not "numpy", which would cast confidences to float32.
            format=None,
            reference_urls=["https://arxiv.org/abs/1812.04606"],
        )

    def compute(self, *, predictions=None, references=None, **kwargs):
        """Computes the metrics; see below."""
        if predictions is None or references is None or self.writer is not None or self.num_process > 1:
            return super().compute(predictions=predictions, references=references, **kwargs)
        # All at once: a detour through an Arrow file would take most of the time.
        return self._compute(predictions, references, **kwargs)

    def _compute(self, predictions, references):
        return calibration_metrics(predictions, references)
