"""Folders of small runs, as recipes leave them, from logits that the test makes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from hf_oe.report import most_and_least_anomalous, save_run
from hf_oe.suite import OODResults, OODSuite, rescaled_confidence

CORPORA = ("noise", "a/b <c> $x$", "letters")
CLASSES, EXAMPLES = 4, 300


def stage_results(seed: int, sureness: dict[str, float], suite: OODSuite) -> OODResults:
    """Scores of a classifier whose logits are as far apart on each set as `sureness` says."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(CLASSES, size=EXAMPLES)
    logits = generator.normal(size=(EXAMPLES, CLASSES)) + 2.5 * np.eye(CLASSES)[labels]
    corpora = {name: scale * generator.normal(size=(EXAMPLES, CLASSES)) for name, scale in sureness.items()}
    results = suite.evaluate_logits(logits, corpora, labels)
    results.temperature, results.calibration = suite.calibrate((logits, labels), logits, labels, corpora)
    results.confidence = {
        name: rescaled_confidence(values, results.temperature)
        for name, values in {"in_distribution": logits, **corpora}.items()
    }
    return results


def write_run(
    folder: Path,
    seed: int = 0,
    worse: str | None = None,
    stages: tuple[str, str] = ("baseline", "oe"),
    **settings: Any,
) -> Path:
    """A run in which OE makes the model unsure on every corpus, but on `worse` sure."""
    suite = OODSuite(score=["msp", "energy"], trials=5)
    sureness = [dict.fromkeys(CORPORA, 2.0), {name: 6.0 if name == worse else 0.5 for name in CORPORA}]
    results = {stage: stage_results(seed, by_corpus, suite) for stage, by_corpus in zip(stages, sureness, strict=True)}
    by_stage = {stage: result.to_dict(stage) for stage, result in results.items()}
    summary = {
        "in_distribution": "digits",
        "recall_level": 0.95,
        "trials": 5,
        "base_rate": 0.2,
        "seed": seed,
        "test_error": {stage: result.test_error for stage, result in results.items()},
        **{key: [row for stage in by_stage.values() for row in stage[key]] for key in ("rows", "mean", "calibration")},
        "train_seconds": dict.fromkeys(stages, 12.0),
        "left_out": [],
        "probe": {"auroc": 0.6, "cues": {"mean colour": 0.61}, "in_distribution": 500, "outliers": 500},
        "settings": {"protocol": "paper", "mode": "finetune", **settings},
    }
    folder.mkdir(parents=True)
    (folder / "ood_results.json").write_text(json.dumps(summary))
    images = np.random.default_rng(0).integers(0, 256, (EXAMPLES, 1, 12, 12), dtype=np.uint8)
    scores = results["oe"].scores["msp"]
    save_run(folder, results, {name: most_and_least_anomalous(images, scores[name]) for name in scores})
    return folder
