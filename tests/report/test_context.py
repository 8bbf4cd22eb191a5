"""Honest context: warnings where they are due and only there, and figures at other base rates."""

import dataclasses
import json

import numpy as np
import pytest

from hf_oe.calibration import rms_calibration_error
from hf_oe.detection import precision_at_recall
from hf_oe.report import load_run
from hf_oe.report.context import at_base_rate, cautions, headline, worse_corpora

from .runs import CORPORA, write_run


@pytest.fixture
def run(run_folder):
    run = load_run(run_folder)
    return dataclasses.replace(run, results=json.loads(json.dumps(run.results)))


def titles(run):
    return [caution.title for caution in cautions(run)]


def test_a_run_that_is_better_everywhere_has_no_warning(run):
    assert titles(run) == [] and worse_corpora(run.results) == {}


def test_a_corpus_that_got_worse_is_told_with_its_figures(tmp_path):
    run = load_run(write_run(tmp_path / "run", worse="letters"))
    (told,) = worse_corpora(run.results).items()
    assert told[0] == "letters" and "auroc" in told[1]
    (caution, *_) = cautions(run)
    assert caution.title.startswith("Outlier Exposure made 1 of 3 corpora worse")
    rows = {row["stage"]: row for row in run.results["rows"] if (row["score"], row["corpus"]) == ("msp", "letters")}
    for metric in told[1]:
        assert f"{100 * rows['baseline'][metric]:.2f} → {100 * rows['oe'][metric]:.2f}" in caution.text


@pytest.mark.parametrize(("loss", "told"), [(0.029, {}), (0.031, {"noise": ["auroc"]})])
def test_noise_of_the_draws_is_no_loss(run, loss, told):
    for row in run.results["rows"]:
        # The deviation of the difference is 0.015, and two of them are 0.03.
        row.update(fpr=0.1, auroc=0.9, auroc_std=0.009 if row["stage"] == "baseline" else 0.012)
        if (row["stage"], row["corpus"]) == ("oe", "noise"):
            row["auroc"] -= loss
    assert worse_corpora(run.results) == told


def test_lost_accuracy_is_told(run):
    run.results["test_error"] = {"baseline": 0.03, "oe": 0.08}
    assert titles(run) == ["The classifier lost 5.00 points of accuracy"]
    run.results["test_error"]["oe"] = 0.035  # two of 300 examples
    assert titles(run) == []


def test_a_baseline_score_that_is_better_is_told(run):
    knn = {"stage": "baseline", "score": "knn", "fpr": 0.01, "auroc": 0.9999, "aupr": 0.99}
    run.results["mean"].append(knn)
    (exposed,) = [mean for mean in run.results["mean"] if (mean["stage"], mean["score"]) == ("oe", "msp")]
    exposed["auroc"] = 0.95
    assert titles(run) == ["Without outliers the score knn is better"]
    knn["auroc"] = 0.95
    assert titles(run) == []


@pytest.mark.parametrize(("auroc", "warned"), [(0.89, False), (0.9, True)])
def test_a_shortcut_is_told_from_its_threshold_on(run, auroc, warned):
    cues = {"saturation": 0.6, "JPEG blocks": 0.85}
    run.results["probe"] = {"auroc": auroc, "cues": cues, "in_distribution": 500, "outliers": 500}
    found = cautions(run)
    assert [caution.title for caution in found] == [
        "Trivial cues alone tell the outliers from in-distribution examples"
    ] * warned
    assert not warned or "JPEG blocks" in found[0].text


def test_missing_corpora_and_missing_probe(run):
    run.results.update(left_out=["lsun"], probe=None)
    assert [caution.text for caution in cautions(run)] == ["The means are without lsun."]


def test_the_headline_says_before_and_after(run):
    means = {mean["stage"]: 100 * mean["fpr"] for mean in run.results["mean"] if mean["score"] == "msp"}
    text = headline(run.results)
    assert f"fall from {means['baseline']:.1f} % to {means['oe']:.1f} % of normal inputs" in text
    assert "rises on 3 of 3 test corpora" in text
    for key in ("rows", "mean"):
        run.results[key] = [row for row in run.results[key] if row["stage"] == "baseline"]
    assert headline(run.results).startswith(f"{means['baseline']:.1f} % of normal inputs are false alarms")


def test_figures_at_a_base_rate_are_means_over_the_corpora(run):
    figures = at_base_rate(run, 0.01)["oe"]
    scores, confidence = run.scores["oe"]["msp"], run.confidence["oe"]
    precisions = [precision_at_recall(scores["in_distribution"], scores[name], 0.95, 0.01) for name in CORPORA]
    assert figures["precision"] == pytest.approx(np.mean(precisions))
    weights = np.repeat([1, 0.01], [300, 300])  # as many anomalies as test examples
    right = np.r_[run.correct["oe"], np.zeros(300, bool)]
    pools = [np.r_[confidence["in_distribution"], confidence[name]] for name in CORPORA]
    errors = [rms_calibration_error(pool, right, weights=weights) for pool in pools]
    assert figures["rms"] == pytest.approx(np.mean(errors))
    assert at_base_rate(run, 1.0)["oe"]["precision"] > figures["precision"]
