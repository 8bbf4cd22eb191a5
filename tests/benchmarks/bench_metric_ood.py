"""metrics/ood on 1,000,000 scores against the direct call of hf_oe.detection."""

from __future__ import annotations

from pathlib import Path

import evaluate
import numpy as np

from hf_oe.detection import detection_metrics

from .timing import median_seconds


def main() -> None:
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
        ratio = seconds["metrics/ood"] / seconds["direct"]
        print(f"{case}: metrics/ood takes {ratio:.2f} times the direct call's {1000 * seconds['direct']:.1f} ms")


if __name__ == "__main__":
    main()
