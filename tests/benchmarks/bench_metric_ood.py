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
    seconds = median_seconds(
        {
            "metrics/ood": lambda: metric.compute(predictions=scores, references=is_ood),
            "direct": lambda: detection_metrics(scores[~is_ood], scores[is_ood]),
        }
    )
    ratio = seconds["metrics/ood"] / seconds["direct"]
    print(f"metrics/ood takes {ratio:.2f} times as long as the direct call ({1000 * seconds['direct']:.0f} ms)")


if __name__ == "__main__":
    main()
