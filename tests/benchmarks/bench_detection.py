"""FPR95, AUROC and AUPR of 1,000,000 + 200,000 scores: ours against scikit-learn's three calls and two bare sorts.

On AMD's Zen 4 NumPy's sort for AVX-512, with which the bare sorts are made, takes three times as long as the one for
AVX2: `NPY_DISABLE_CPU_FEATURES="X86_V4 AVX512_ICL"` shows the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from hf_oe.detection import detection_metrics

from .results import Result, table
from .timing import median_seconds


def results(data_dir: Path | None = None) -> Iterator[Result]:
    generator = np.random.default_rng(0)
    smooth = generator.normal(size=1_000_000), generator.normal(1, size=200_000)
    cases = {
        "float32": [scores.astype(np.float32) for scores in smooth],
        "float64": smooth,
        "float32, 90 % saturated": [
            np.where(generator.random(len(scores)) < 0.9, -1, -generator.random(len(scores))).astype(np.float32)
            for scores in smooth
        ],
        "float32, 100 values": [np.round(10 * scores).astype(np.float32) for scores in smooth],
    }
    for case, (in_scores, out_scores) in cases.items():
        scores = np.concatenate([in_scores, out_scores])
        is_ood = np.arange(len(scores)) >= len(in_scores)

        def scikit_learn(scores=scores, is_ood=is_ood):
            fpr, tpr, _ = roc_curve(is_ood, scores)
            return (
                fpr[np.searchsorted(tpr, 0.95)],
                roc_auc_score(is_ood, scores),
                average_precision_score(is_ood, scores),
            )

        seconds = median_seconds(
            {
                "ours": lambda a=in_scores, b=out_scores: detection_metrics(a, b),
                "scikit-learn": scikit_learn,
                "two sorts": lambda a=in_scores, b=out_scores: (np.sort(a), np.sort(b)),
            },
            repeats=9,
        )
        ours = seconds["ours"]
        yield Result(case, "scikit-learn's three calls / ours", seconds["scikit-learn"] / ours, at_least=30)
        yield Result(case, "ours / two numpy.sort", ours / seconds["two sorts"], at_most=5)


def main() -> None:
    print(table(("detection", result) for result in results(None)))


if __name__ == "__main__":
    main()
