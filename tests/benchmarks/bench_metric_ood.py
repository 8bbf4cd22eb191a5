"""metrics/ood on 1,000,000 scores against the direct call of hf_oe.detection."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import evaluate
import numpy as np

from hf_oe.detection import detection_metrics

from .results import Result, table
from .timing import median_seconds


def results(data_dir: Path | None = None) -> Iterator[Result]:
    generator = np.random.default_rng(0)
    is_ood = generator.random(1_000_000) < 1 / 6
    scores = generator.normal(size=len(is_ood)) + is_ood
    metric = evaluate.load(str(Path(__file__).parents[2] / "metrics" / "ood"))
    cases = {
        "float64 scores, bool references": (scores, is_ood),
        "float32 scores, int64 references": (scores.astype(np.float32), is_ood.astype(np.int64)),
    }
    for case, (predictions, references) in cases.items():
        in_scores, out_scores = predictions[~is_ood], predictions[is_ood]
        seconds = median_seconds(
            {
                "metrics/ood": lambda a=predictions, b=references: metric.compute(predictions=a, references=b),
                "direct": lambda a=in_scores, b=out_scores: detection_metrics(a, b),
            },
            repeats=15,
        )
        yield Result(case, "metrics/ood / direct call", seconds["metrics/ood"] / seconds["direct"], at_most=2)


def main() -> None:
    print(table(("metric_ood", result) for result in results(None)))


if __name__ == "__main__":
    main()
