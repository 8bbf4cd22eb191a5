"""Detectors by name in `OODSuite.evaluate` and `OETrainer.evaluate`: one pass, one figure, whatever the batches."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from hf_oe import OETrainingArguments, OODSuite
from hf_oe.detectors import DETECTORS
from hf_oe.detectors.knn import KNN
from hf_oe.detectors.scoring import fit_sample
from hf_oe.features import captured_features, classifier_head

from ..tiny import OUTLIERS, Vectors, tiny_model, tiny_trainer

README = Path(__file__).parents[2] / "README.md"
SCORES = ["msp", "knn", "mahalanobis", "odin"]
TEST, TRAIN = Vectors(30, noise=0.0), Vectors(24, noise=0.0)
CORPORA = {"far": Vectors(40, shift=-3.0, noise=0.0), "near": Vectors(9, shift=-0.5, noise=0.0)}


def inputs_of(dataset):
    return torch.stack([dataset[index]["pixel_values"] for index in range(len(dataset))])


@torch.no_grad()
def expected_knn(model, dataset):
    model.eval()
    with captured_features(model) as features:
        for part in (TRAIN, dataset):
            model(inputs_of(part))
    knn = KNN()
    knn.fit(features[0], None, None, classifier_head(model))
    return knn(features[1], None).numpy()


def test_the_suite_fits_detectors_and_scores_every_corpus():
    model = tiny_model()
    results = OODSuite(score=SCORES).evaluate(model.train(), TEST, CORPORA, detector_dataset=TRAIN)
    assert list(results.scores) == SCORES
    for name, dataset in {"in_distribution": TEST, **CORPORA}.items():
        np.testing.assert_allclose(results.scores["knn"][name], expected_knn(model, dataset), rtol=1e-4, atol=1e-6)
    assert {row.corpus for row in results.rows if row.score == "odin"} >= set(CORPORA)


def test_the_trainer_does_so_on_its_training_set_or_the_one_given(tmp_path):
    trainer = tiny_trainer(tmp_path, OUTLIERS["map-style"](), noise=0.0, max_steps=3, score=SCORES)
    trainer.train()
    metrics = trainer.evaluate()
    assert 0 <= metrics["eval_ood_far_knn_auroc"] <= 1 and "eval_ood_far_auroc" in metrics
    for name, dataset in {"in_distribution": TEST, **CORPORA}.items():
        scores = trainer.ood_results.scores["knn"][name]
        np.testing.assert_allclose(scores, expected_knn(trainer.model, dataset), rtol=1e-4, atol=1e-6)
    trainer.train_dataset, trainer.detector_dataset = None, TRAIN
    assert trainer.evaluate()["eval_ood_near_knn_auroc"] == metrics["eval_ood_near_knn_auroc"]


def test_the_network_runs_once_for_each_example(tmp_path, monkeypatch):
    trainer = tiny_trainer(tmp_path, None, score=["msp", "knn", "vim"])
    forward, seen = trainer.model.forward, []
    monkeypatch.setattr(
        trainer.model,
        "forward",
        lambda pixel_values, labels=None: seen.append(len(pixel_values)) or forward(pixel_values, labels),
    )
    trainer.evaluate()
    assert sum(seen) == len(TRAIN) + len(TEST) + sum(map(len, CORPORA.values()))


def test_figures_do_not_depend_on_the_batch_size(tmp_path):
    def figures(batch_size):
        trainer = tiny_trainer(tmp_path, None, noise=0.0, per_device_eval_batch_size=batch_size, score=SCORES)
        return {key: value for key, value in trainer.evaluate().items() if "ood" in key}

    assert figures(7) == pytest.approx(figures(30), abs=1e-9)


def test_users_own_compute_metrics_gets_the_logits_alone(tmp_path):
    trainer = tiny_trainer(tmp_path, None, score=["knn"])
    trainer.compute_metrics = lambda prediction: {"columns": prediction.predictions.shape[1]}
    assert trainer.evaluate()["eval_columns"] == 3


def test_a_detector_of_the_users_own_is_evaluated_by_name(monkeypatch):
    class FirstFeature(KNN):
        def __call__(self, features, logits):
            return -features[:, 0]

    monkeypatch.setitem(DETECTORS, "first_feature", FirstFeature)
    args = OETrainingArguments("unused", score=["first_feature"], use_cpu=True)
    results = OODSuite(score=args.score).evaluate(tiny_model(), TEST, CORPORA, detector_dataset=TRAIN)
    assert {row.score for row in results.rows} == {"first_feature"}


def test_the_readmes_detector_works():
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    (example,) = (block for block in blocks if "class ClassAngle" in block)
    try:
        exec(example, scope := {})
        results = OODSuite(score=scope["args"].score).evaluate(tiny_model(), TEST, CORPORA, detector_dataset=TRAIN)
        assert -1 <= results.scores["class_angle"]["far"].min() <= 1
    finally:
        DETECTORS.pop("class_angle", None)


def test_a_fit_takes_a_sample_of_a_large_set(monkeypatch):
    monkeypatch.setattr("hf_oe.detectors.scoring.FIT_EXAMPLES", 10)
    sample = fit_sample(TRAIN, seed=0)
    assert len(set(sample.indices)) == 10 and sample.indices == sorted(sample.indices)
    assert fit_sample(TRAIN, seed=0).indices == sample.indices != fit_sample(TRAIN, seed=1).indices


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "give a `detector_dataset` that has a length"),
        ({"detector_dataset": Vectors(9, labelled=False)}, "`detector_dataset` has no labels"),
        ({"model": lambda batch: batch["pixel_values"], "detector_dataset": TRAIN}, "'knn' needs a module"),
    ],
)
def test_refusals_of_the_suite(arguments, message):
    arguments = {"model": tiny_model(), **arguments}
    with pytest.raises(ValueError, match=message):
        OODSuite(score=["msp", "knn"]).evaluate(in_distribution=TEST, corpora=CORPORA, **arguments)


def test_logits_alone_are_not_enough():
    with pytest.raises(ValueError, match="'knn' is not one of logits"):
        OODSuite(score=["knn"]).evaluate_logits(np.zeros((3, 2)), {"far": np.zeros((3, 2))})


def test_an_unknown_name_is_answered_with_scores_and_detectors():
    with pytest.raises(ValueError, match="Unknown score 'mahalanobi': did you mean 'mahalanobis'"):
        OETrainingArguments("unused", score=["mahalanobi"])
