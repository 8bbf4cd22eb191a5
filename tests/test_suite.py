"""OODSuite: the paper's protocol on scores, logits, a model in memory, a saved one and a plain callable."""

import numpy as np
import pytest
import torch

from hf_oe.calibration import fit_temperature
from hf_oe.detection import detection_metrics
from hf_oe.suite import ERROR_DETECTION, OODSuite, collect_logits, write_results

from .tiny import Vectors, tiny_model


def random_scores(count, shift=0.0, seed=0):
    return np.random.default_rng(seed).normal(shift, size=count)


def test_every_trial_keeps_the_base_rate(monkeypatch):
    sizes = []
    monkeypatch.setattr(
        "hf_oe.suite.detection_metrics",
        lambda normal, anomalous, recall_level: (
            sizes.append((len(normal), len(anomalous))) or detection_metrics(normal, anomalous, recall_level)
        ),
    )
    scores = {"in_distribution": random_scores(1000), "large": random_scores(500), "small": random_scores(100)}
    OODSuite(trials=3).evaluate_scores({"msp": scores})
    assert sizes == [(1000, 200)] * 3 + [(500, 100)] * 3


def test_figures_are_the_mean_and_deviation_over_fresh_draws():
    scores = {"in_distribution": random_scores(1000), "shifted": random_scores(800, 1, seed=1)}
    (row,) = OODSuite(trials=10).evaluate_scores({"msp": scores}).rows
    whole = detection_metrics(scores["in_distribution"], scores["shifted"])
    assert row.auroc == pytest.approx(whole["auroc"], abs=0.02) and 0 < row.auroc_std < 0.05
    assert row.fpr == pytest.approx(whole["fpr"], abs=0.1) and row.fpr_std > 0
    assert OODSuite(trials=10).evaluate_scores({"msp": scores}).rows == [row]
    assert OODSuite(trials=10, seed=1).evaluate_scores({"msp": scores}).rows != [row]


def test_means_are_over_the_anomaly_corpora_only():
    scores = {"in_distribution": random_scores(100), "a": random_scores(100, 1), "b": random_scores(100, 2)}
    wrong = np.arange(100) < 10
    results = OODSuite(recall_level=(0.9, 0.99)).evaluate_scores({"msp": scores, "energy": scores}, wrong)
    assert results.test_error == 0.1
    for mean in results.mean():
        rows = [row for row in results.rows if row.score == mean["score"] and row.corpus != ERROR_DETECTION]
        assert [row.corpus for row in rows] == ["a", "b"]
        assert mean["auroc"] == pytest.approx(np.mean([row.auroc for row in rows]))
        assert mean["fpr"] == mean["fpr_at"]["0.9"] <= mean["fpr_at"]["0.99"]


def test_groups_have_means_of_those_of_their_corpora_that_were_evaluated():
    scores = {name: random_scores(100, shift) for shift, name in enumerate(("in_distribution", "a", "b", "c"))}
    suite = OODSuite(groups={"near": ["a", "absent"], "far": ["b", "c"], "empty": ["absent"]})
    results = suite.evaluate_scores({"msp": scores, "energy": scores}, np.arange(100) < 10)
    means = {(mean["score"], mean["group"]): mean for mean in results.to_dict("oe")["group_mean"]}
    assert set(means) == {(score, group) for score in ("msp", "energy") for group in ("near", "far")}
    figures = {row.corpus: row.auroc for row in results.rows if row.score == "msp"}
    assert means["msp", "near"]["auroc"] == figures["a"] and means["msp", "near"]["corpora"] == ["a"]
    assert means["msp", "far"]["auroc"] == pytest.approx((figures["b"] + figures["c"]) / 2)
    assert means["msp", "far"]["stage"] == "oe"
    assert results.metrics()["ood_far_mean_auroc"] == means["msp", "far"]["auroc"]
    assert results.mean() == OODSuite().evaluate_scores({"msp": scores, "energy": scores}).mean()


def test_error_detection_is_wrong_against_right_predictions():
    scores = random_scores(200)
    wrong = np.arange(200) < 50
    results = OODSuite().evaluate_scores({"msp": {"in_distribution": scores}}, wrong)
    (row,) = results.rows
    assert row.corpus == ERROR_DETECTION
    assert row.auroc == detection_metrics(scores[~wrong], scores[wrong])["auroc"] and row.auroc_std == 0


def test_several_scores_come_from_one_pass():
    calls = []

    def predict(batch):
        calls.append(len(batch["pixel_values"]))
        return batch["pixel_values"][:, :3]

    results = OODSuite(score=["msp", "kl_uniform", "energy"]).evaluate(
        predict, Vectors(20, noise=0.0), {"far": Vectors(30, shift=-3.0, noise=0.0)}, batch_size=8
    )
    assert sum(calls) == 50
    assert {row.score for row in results.rows if row.corpus == "far"} == {"msp", "kl_uniform", "energy"}


def test_a_model_in_memory_is_evaluated_in_evaluation_mode_and_whatever_the_batch_size():
    model, corpora = tiny_model(dropout=0.5), {"far": Vectors(30, shift=-3.0, noise=0.0)}
    by_size = [
        OODSuite().evaluate(model.train(), Vectors(20, noise=0.0), corpora, batch_size=size).to_dict()
        for size in (3, 64)
    ]
    for small, large in zip(by_size[0]["rows"], by_size[1]["rows"], strict=True):
        assert small == large


def test_a_saved_model_gives_the_same(tmp_path):
    from hf_oe.models import create_classifier

    class Images(Vectors):
        def __getitem__(self, index):
            generator = torch.Generator().manual_seed(index)
            return {"pixel_values": torch.rand(1, 28, 28, generator=generator), "labels": index % 10}

    model = create_classifier("oe_mnist_convnet", 10)
    model.save_pretrained(tmp_path)
    arguments = (Images(12), {"same": Images(8)})
    assert OODSuite().evaluate(str(tmp_path), *arguments).rows == OODSuite().evaluate(model, *arguments).rows


def test_labels_are_optional():
    logits, labels = collect_logits(lambda batch: batch["pixel_values"], Vectors(5, labelled=False))
    assert logits.shape == (5, 6) and labels is None
    assert OODSuite().evaluate_logits(logits, {"same": logits}).test_error is None


def test_flat_metrics_for_logging():
    scores = {"in_distribution": random_scores(100), "a": random_scores(100, 1)}
    metrics = OODSuite(score=["msp", "energy"]).evaluate_scores({"msp": scores, "energy": scores}).metrics()
    assert set(metrics) == {
        f"ood_{corpus}{score}_{metric}"
        for corpus in ("a", "mean")
        for score in ("", "_energy")
        for metric in ("fpr", "auroc", "aupr")
    }


def test_an_empty_dataset_is_an_error():
    with pytest.raises(ValueError, match="`dataset` is empty"):
        collect_logits(lambda batch: batch["pixel_values"], Vectors(0))


def test_results_are_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "ood_results.json"
    write_results(path, {"rows": []})
    with pytest.raises(TypeError):
        write_results(path, {"rows": object()})
    assert path.read_text() == '{\n  "rows": []\n}\n'


def test_calibration_pools_equally_many_anomalies_which_count_as_wrong():
    generator = np.random.default_rng(0)
    labels = generator.integers(3, size=600)
    logits = generator.normal(size=(600, 3)) + 2 * np.eye(3)[labels]
    anomalies = {"unsure": generator.normal(scale=0.01, size=(700, 3)), "few": 5 * generator.normal(size=(50, 3))}
    temperature, rows = OODSuite().calibrate((3 * logits[:300], labels[:300]), 3 * logits, labels, anomalies)
    assert temperature == fit_temperature(3 * logits[:300], labels[:300])
    assert [(row.corpus, row.rescaled) for row in rows] == [
        ("unsure", False),
        ("unsure", True),
        ("few", False),
        ("few", True),
    ]
    plain, rescaled = rows[:2]
    assert rescaled.rms < plain.rms and rescaled.soft_f1 > plain.soft_f1
    assert all(row.mav <= row.rms for row in rows)
