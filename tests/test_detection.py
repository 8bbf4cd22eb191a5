"""Detection metrics against scikit-learn, the reference vectors, hand-worked cases and their own invariances."""

from pathlib import Path

import numpy as np
import pytest
import sklearn.metrics
import torch
from hypothesis import given
from hypothesis import strategies as st

from hf_oe.detection import (
    aupr,
    auroc,
    detection_metrics,
    fpr_at_recall,
    precision_at_recall,
    precision_recall_curve,
    roc_curve,
)

REFERENCE = Path(__file__).parents[2] / "shared" / "reference" / "detection.npz"

# A coarse grid makes ties, within a class and between both, the rule.
scores = st.lists(st.integers(-4, 4) | st.floats(-5, 5, width=32), min_size=1, max_size=40).map(
    lambda values: np.array(values, dtype=np.float64)
)
levels = st.sampled_from([0.05, 0.5, 0.9, 0.95, 0.99, 1.0])


def pooled(in_scores, out_scores):
    return np.r_[np.zeros(len(in_scores)), np.ones(len(out_scores))], np.r_[in_scores, out_scores]


@given(scores, scores)
def test_areas_equal_scikit_learns(in_scores, out_scores):
    is_ood, values = pooled(in_scores, out_scores)
    assert auroc(in_scores, out_scores) == pytest.approx(sklearn.metrics.roc_auc_score(is_ood, values), abs=1e-12)
    expected = sklearn.metrics.average_precision_score(is_ood, values)
    assert aupr(in_scores, out_scores) == pytest.approx(expected, abs=1e-12)


@given(scores, scores)
def test_curve_equals_scikit_learns(in_scores, out_scores):
    expected = sklearn.metrics.roc_curve(*pooled(in_scores, out_scores), drop_intermediate=False)
    for ours, theirs in zip(roc_curve(in_scores, out_scores), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-12)


@given(scores, scores, levels)
def test_fpr_is_that_of_the_strictest_threshold_with_enough_recall(in_scores, out_scores, level):
    rates = [np.mean(in_scores >= threshold) for threshold in out_scores if np.mean(out_scores >= threshold) >= level]
    assert fpr_at_recall(in_scores, out_scores, level) == min(rates)


@given(scores, scores, levels)
def test_all_from_one_sort_equal_each_alone(in_scores, out_scores, level):
    together = detection_metrics(in_scores, out_scores, level)
    assert together == {
        "fpr": fpr_at_recall(in_scores, out_scores, level),
        "auroc": auroc(in_scores, out_scores),
        "aupr": aupr(in_scores, out_scores),
    }


@given(scores, scores)
def test_invariances(in_scores, out_scores):
    metrics = detection_metrics(in_scores, out_scores)
    assert detection_metrics(in_scores[::-1], np.sort(out_scores)) == metrics
    # Ranks are the scores under a monotone transform.
    _, ranks = np.unique(np.r_[in_scores, out_scores], return_inverse=True)
    assert detection_metrics(ranks[: len(in_scores)], ranks[len(in_scores) :]) == metrics
    assert auroc(-in_scores, -out_scores) == pytest.approx(1 - metrics["auroc"], abs=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.uint64, np.longdouble])
def test_many_scores_give_the_figures_of_the_few_that_they_repeat(dtype):
    few = np.arange(10) if dtype == np.uint64 else np.r_[np.arange(-5, 5), 0.0]
    in_scores, out_scores = np.r_[few, few[3:6]].astype(dtype), few[4:].astype(dtype)
    if np.issubdtype(dtype, np.floating):
        in_scores[-2:] = -np.inf, -0.0
    metrics = detection_metrics(in_scores, out_scores)
    generator = np.random.default_rng(0)
    many = [generator.permutation(np.tile(values, 10_000)) for values in (in_scores, out_scores)]
    assert detection_metrics(*many) == pytest.approx(metrics, abs=1e-12)
    finite = np.maximum(in_scores, few.min() - 1) if dtype != np.uint64 else in_scores
    assert metrics["auroc"] == pytest.approx(sklearn.metrics.roc_auc_score(*pooled(finite, out_scores)))


@given(scores, scores)
def test_fpr_does_not_fall_with_the_recall_level(in_scores, out_scores):
    rates = list(detection_metrics(in_scores, out_scores, [0.05, 0.5, 0.9, 1])["fpr_at"].values())
    assert rates == sorted(rates)


@pytest.mark.parametrize("container", [list, tuple, np.array])
def test_of_several_levels_the_first_is_the_fpr(container):
    in_scores, out_scores = np.arange(10.0), np.arange(5.0, 15.0)
    metrics = detection_metrics(in_scores, out_scores, container([0.9, 0.5]))
    assert metrics["fpr_at"] == {0.9: 0.4, 0.5: 0.0} and metrics["fpr"] == 0.4


@pytest.mark.parametrize(
    ("in_scores", "out_scores", "expected"),
    [
        ([0, 1, 2], [3, 4], {"fpr": 0.0, "auroc": 1.0, "aupr": 1.0}),
        ([3, 4], [0, 1], {"fpr": 1.0, "auroc": 0.0, "aupr": (1 / 3 + 2 / 4) / 2}),
        ([1, 1, 1], [1, 1], {"fpr": 1.0, "auroc": 0.5, "aupr": 2 / 5}),
        ([-np.inf, 0], [np.inf, 0], {"fpr": 0.5, "auroc": 0.875, "aupr": (1 + 2 / 3) / 2}),
    ],
    ids=["separated", "reversed", "all tied", "infinities"],
)
def test_worked_by_hand(in_scores, out_scores, expected):
    assert detection_metrics(in_scores, out_scores) == pytest.approx(expected)


def test_recall_of_0_95_of_2000_anomalies_is_1900_of_them():
    out_scores = np.arange(2000)
    assert fpr_at_recall(np.array([99.5, 100.5]), out_scores, 0.95) == 0.5


def test_scores_are_compared_in_their_own_precision():
    saturated = -1 + np.array([1e-12, 3e-12])
    assert auroc(saturated[:1], saturated[1:]) == 1.0
    assert auroc(saturated[:1].astype(np.float32), saturated[1:].astype(np.float32)) == 0.5


@pytest.mark.parametrize(
    "convert",
    [list, torch.tensor, np.float16, np.float32, np.int8, lambda scores: torch.tensor(scores, dtype=torch.float16)],
    ids=["list", "tensor", "float16", "float32", "int8", "half tensor"],
)
def test_all_kinds_of_scores_give_the_same_figures_as_python_floats(convert):
    in_scores, out_scores = [3, 1, 2, 2], [2, 5, 1]
    metrics = detection_metrics(convert(in_scores), convert(out_scores))
    assert metrics == detection_metrics(np.float64(in_scores), np.float64(out_scores))
    assert all(type(value) is float for value in metrics.values())


def test_thresholds_keep_the_precision_of_the_scores():
    _, _, thresholds = roc_curve(np.float32([0.1, 0.2]), np.float32([0.2]))
    assert thresholds.dtype == np.float32
    assert thresholds.tolist() == [np.inf, np.float32(0.2), np.float32(0.1)]


@pytest.mark.parametrize("case", ["smooth", "ties", "small", "separated"])
def test_reference_vectors(case):
    if not REFERENCE.exists():
        pytest.skip("the reference vectors are not beside the repository")
    reference = np.load(REFERENCE)
    values, is_ood = reference[f"{case}_scores"], reference[f"{case}_is_ood"].astype(bool)
    metrics = detection_metrics(values[~is_ood], values[is_ood], [0.9, 0.95, 0.99])
    assert metrics["auroc"] == pytest.approx(float(reference[f"{case}_auroc"]), abs=1e-9)
    assert metrics["aupr"] == pytest.approx(float(reference[f"{case}_aupr"]), abs=1e-9)
    for level, rate in metrics["fpr_at"].items():
        assert rate == pytest.approx(float(reference[f"{case}_fpr{100 * level:.0f}"]), abs=1e-9)


@pytest.mark.parametrize(
    ("in_scores", "out_scores", "message"),
    [
        ([], [1.0], "`in_scores` is empty"),
        ([1.0], [], "`out_scores` is empty"),
        ([[1.0]], [1.0], r"`in_scores` must be one-dimensional, got the shape \(1, 1\)"),
        ([1.0], [np.nan, 2.0], "`out_scores` holds 1 NaN of 2"),
        ([1.0], ["a"], "`out_scores` must hold real numbers"),
        ([1.0], [1j], "`out_scores` must hold real numbers"),
        ([1.0], [None], "`out_scores` must hold real numbers, got the dtype object"),
        ([1.0], np.array([5], dtype="timedelta64[s]"), "`out_scores` must hold real numbers"),
        ([1.0, [2.0]], [1.0], "`in_scores` must be an array"),
        (torch.ones(1, requires_grad=True), [1.0], "`in_scores` must be .*detach"),
    ],
)
def test_bad_scores_are_named(in_scores, out_scores, message):
    for function in (detection_metrics, auroc, aupr, fpr_at_recall, roc_curve):
        with pytest.raises(ValueError, match=message):
            function(in_scores, out_scores)


@pytest.mark.parametrize("level", [0, -0.1, 1.01, 95, float("nan"), "0.95", None])
def test_bad_recall_level_is_named(level):
    for function in (detection_metrics, fpr_at_recall):
        with pytest.raises(ValueError, match=rf"`recall_level` must be a fraction in \(0, 1\], got {level!r}"):
            function([0.0], [1.0], level)


def test_no_recall_level_at_all_is_refused():
    with pytest.raises(ValueError, match="`recall_level` is an empty list"):
        detection_metrics([0.0], [1.0], [])


@given(scores, scores, levels)
def test_precision_at_the_pools_own_base_rate_is_that_of_the_flagged_examples(in_scores, out_scores, level):
    rate = fpr_at_recall(in_scores, out_scores, level)
    threshold = max(value for value in out_scores if np.mean(out_scores >= value) >= level)
    flagged = np.sum(out_scores >= threshold), np.sum(in_scores >= threshold)
    precision = precision_at_recall(in_scores, out_scores, level, base_rate=len(out_scores) / len(in_scores))
    assert precision == pytest.approx(flagged[0] / sum(flagged), abs=1e-12)
    assert rate == flagged[1] / len(in_scores)


@given(scores, scores, levels, st.integers(2, 5))
def test_precision_at_another_base_rate_is_that_of_repeated_anomalies(in_scores, out_scores, level, times):
    repeated = np.tile(out_scores, times)
    expected = precision_at_recall(in_scores, repeated, level, len(repeated) / len(in_scores))
    base_rate = times * len(out_scores) / len(in_scores)
    assert precision_at_recall(in_scores, out_scores, level, base_rate) == pytest.approx(expected, abs=1e-12)


def test_precision_of_a_case_worked_by_hand():
    # At recall 1/2 the threshold is 3: half of the anomalies and a quarter of the normal examples are flagged.
    assert precision_at_recall([0, 1, 2, 4], [2.5, 3], 0.5, base_rate=1) == pytest.approx(0.5 / 0.75)
    assert precision_at_recall([0, 1, 2, 4], [2.5, 3], 0.5, base_rate=0.01) == pytest.approx(0.005 / 0.255)


@pytest.mark.parametrize("base_rate", [0, -1, float("inf"), float("nan"), "0.2"])
def test_a_base_rate_that_is_none_is_refused(base_rate):
    with pytest.raises(ValueError, match="`base_rate` must be a number above 0"):
        precision_at_recall([0, 1], [2], base_rate=base_rate)


@given(scores, scores)
def test_precision_recall_curve_equals_scikit_learns(in_scores, out_scores):
    precision, recall = precision_recall_curve(in_scores, out_scores)
    theirs = sklearn.metrics.precision_recall_curve(*pooled(in_scores, out_scores), drop_intermediate=False)
    points = {(round(p, 9), round(r, 9)) for p, r in zip(theirs[0], theirs[1], strict=True)}
    assert {(round(p, 9), round(r, 9)) for p, r in zip(precision, recall, strict=True)} <= points
    assert recall[0] == 1 and (np.diff(recall) < 0).all()
