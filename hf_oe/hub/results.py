"""A run's results as files: what `ood_results.json` holds, and a table that other benchmarks can read."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..files import replacing
from ..suite import ERROR_DETECTION, OODResults


def describe_results(results: OODResults, in_distribution: str, stage: str = "oe") -> dict[str, Any]:
    """The contents of `ood_results.json` for one model, from what `OODSuite` or `OETrainer.ood_results` gives.

    Args:
        in_distribution: name of the in-distribution set.
        stage: "oe" for a model that was trained with outliers, "baseline" for another.
    """
    return {
        "in_distribution": in_distribution,
        "recall_level": results.recall_level,
        "trials": results.trials,
        "test_error": {stage: results.test_error},
        **results.to_dict(stage),
        "histogram": histogram(results),
    }


def histogram(results: OODResults, bins: int = 40) -> dict[str, Any] | None:
    """Of the first score on the in-distribution set: `score`, `edges` (bins + 1) and `counts` (bins).

    The demo shows a new input's score against it. `None` where the results hold no scores.
    """
    if not results.scores:
        return None
    score, by_corpus = next(iter(results.scores.items()))
    counts, edges = np.histogram(np.asarray(by_corpus["in_distribution"], dtype=np.float64), bins)
    return {"score": score, "edges": edges.tolist(), "counts": counts.tolist()}


def write_csv(path: str | os.PathLike, results: Mapping[str, Any]) -> None:
    """A row for each stage, score and corpus, in percent, in the columns of OpenOOD's result files.

    `AUPR_OUT` has anomalies as the positive class, as everywhere here; `AUPR_IN`, its other, is not measured. The
    column `FPR@95` is named after the run's recall level. Columns `stage` and `score` come first.
    """
    level = f"FPR@{100 * results['recall_level']:g}"
    rows = [row for row in results["rows"] if row["corpus"] != ERROR_DETECTION]
    rows += [{**mean, "corpus": "mean"} for mean in results["mean"]]
    with replacing(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["stage", "score", "dataset", level, "AUROC", "AUPR_OUT", "ACC"])
        for row in rows:
            error = results["test_error"].get(row["stage"])
            figures = [row["fpr"], row["auroc"], row["aupr"], None if error is None else 1 - error]
            cells = ["" if figure is None else f"{100 * figure:.2f}" for figure in figures]
            writer.writerow([row["stage"], row["score"], row["corpus"], *cells])
