"""Calibration against the reference vectors, scipy's optimiser, the paper's formulas and their properties."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from hf_oe.calibration import (
    base_rate_weights,
    calibration_metrics,
    fit_temperature,
    mav_calibration_error,
    max_softmax,
    reliability_bins,
    rescale_confidence,
    rms_calibration_error,
    sigmoid_max_logit,
    soft_f1,
)

REFERENCE = Path(__file__).parents[2] / "shared" / "reference" / "calibration.npz"

examples = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=350)


@pytest.fixture
def reference():
    if not REFERENCE.exists():
        pytest.skip("the reference vectors are not beside the repository")
    return np.load(REFERENCE)


def test_reference_vectors(reference):
    metrics = calibration_metrics(reference["confidence"], reference["correct"])
    for name in ("rms", "mav", "soft_f1"):
        assert metrics[name] == pytest.approx(float(reference[name]), rel=1e-6)
    temperature = fit_temperature(reference["logits"], reference["labels"])
    assert temperature == pytest.approx(float(reference["temperature"]), abs=2e-4)


@pytest.mark.parametrize("seed", range(100))
def test_temperature_is_scipys_minimum(seed):
    generator = np.random.default_rng(seed)
    classes = int(generator.integers(2, 20))
    logits = generator.normal(scale=generator.uniform(0.5, 8), size=(200, classes))
    labels = np.where(generator.random(200) < 0.6, logits.argmax(axis=1), generator.integers(classes, size=200))

    def loss(log_temperature):
        return -log_softmax(logits / np.exp(log_temperature), axis=1)[np.arange(200), labels].mean()

    expected = np.exp(minimize_scalar(loss, bounds=(-7, 7), method="bounded", options={"xatol": 1e-9}).x)
    assert fit_temperature(logits, labels) == pytest.approx(expected, rel=1e-4)


def test_scaling_the_logits_scales_the_temperature():
    generator = np.random.default_rng(0)
    logits, labels = generator.normal(size=(50, 3)), generator.integers(3, size=50)
    labels[:30] = logits[:30].argmax(axis=1)
    temperature = fit_temperature(logits, labels)
    assert fit_temperature(1000 * logits, labels) == pytest.approx(1000 * temperature, rel=1e-6)
    assert fit_temperature(logits + 1e4, labels) == pytest.approx(temperature, rel=1e-6)


@pytest.mark.parametrize(
    ("logits", "labels", "message"),
    [
        ([[2.0, 1.0]], [0], "hold out more"),
        ([[2.0, 1.0]], [1], "say nothing of `labels`"),
        ([2.0, 1.0], [0, 1], "must have the shape"),
        ([[2.0, 1.0]], [0, 1], "must have the shape"),
    ],
)
def test_where_no_temperature_is_best(logits, labels, message):
    with pytest.raises(ValueError, match=message):
        fit_temperature(logits, labels)


@given(examples, st.integers(1, 120))
def test_errors_are_those_of_the_papers_formula(pairs, bin_size):
    confidence, correct = np.array(pairs).T
    order = np.argsort(confidence, kind="stable")
    bins = [order[i * bin_size : (i + 1) * bin_size] for i in range(max(1, len(order) // bin_size))]
    bins[-1] = order[(len(bins) - 1) * bin_size :]
    gaps = [correct[one].mean() - confidence[one].mean() for one in bins]
    shares = [len(one) / len(order) for one in bins]
    rms = np.sqrt(sum(share * gap**2 for share, gap in zip(shares, gaps, strict=True)))
    mav = sum(share * abs(gap) for share, gap in zip(shares, gaps, strict=True))
    assert rms_calibration_error(confidence, correct, bin_size) == pytest.approx(rms, abs=1e-9)
    assert mav_calibration_error(confidence, correct, bin_size) == pytest.approx(mav, abs=1e-9)
    assert mav <= rms + 1e-9


@given(examples)
def test_soft_f1_is_that_of_the_papers_formula(pairs):
    confidence, correct = np.array(pairs).T
    correct = correct.astype(bool)
    tp, fp = (1 - confidence)[~correct].sum(), (1 - confidence)[correct].sum()
    fn = confidence[~correct].sum()
    expected = 0.0
    if tp > 1e-6:
        precision, recall = tp / (tp + fp), tp / (tp + fn)
        expected = 2 * precision * recall / (precision + recall)
    assert soft_f1(confidence, correct) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("confidence", [0.5, 0.8])
def test_perfect_calibration_has_no_error(confidence):
    correct = np.random.default_rng(0).permutation(np.arange(1000) < 1000 * confidence)
    assert rms_calibration_error(np.full(1000, confidence), correct, bin_size=1000) < 1e-9


def test_large_calibrated_samples_have_little_error():
    generator = np.random.default_rng(0)
    confidence = generator.random(200_000)
    correct = generator.random(200_000) < confidence
    assert mav_calibration_error(confidence, correct, 5000) < rms_calibration_error(confidence, correct, 5000) < 0.01


def test_confidences():
    logits = np.array([[2.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    assert max_softmax(logits, temperature=2.0)[0] == pytest.approx(np.e / (np.e + 2))
    assert sigmoid_max_logit(logits).tolist() == pytest.approx([1 / (1 + np.exp(-2)), 0.5])
    assert rescale_confidence(max_softmax(logits), 3)[1] == pytest.approx(0, abs=1e-12)
    assert rescale_confidence([1.0, 0.5], 2).tolist() == [1.0, 0.0]


@pytest.mark.parametrize(
    ("confidence", "correct", "message"),
    [
        ([0.5, 1.5], [0, 1], "between 0 and 1, got values from 0.5 to 1.5"),
        ([0.5, float("nan")], [0, 1], "between 0 and 1"),
        ([0.5], [0, 1], "of the same length"),
        ([], [], "not empty"),
        ([0.5, 0.5], [0, 2], "`correct` must be 1"),
    ],
)
def test_bad_input_is_named(confidence, correct, message):
    for function in (rms_calibration_error, mav_calibration_error, soft_f1, calibration_metrics):
        with pytest.raises(ValueError, match=message):
            function(confidence, correct)


@given(examples, st.integers(1, 4))
def test_a_weight_counts_as_many_copies(pairs, times):
    confidence, correct = np.array(pairs).T
    copies = 1 + np.arange(len(confidence)) % times
    repeated = np.repeat(confidence, copies), np.repeat(correct, copies)
    assert soft_f1(confidence, correct, weights=copies) == pytest.approx(soft_f1(*repeated), abs=1e-9)
    # Bins of one example: the bins of the copies are the same, each as often as it weighs.
    for error in (rms_calibration_error, mav_calibration_error):
        assert error(confidence, correct, 1, weights=copies) == pytest.approx(error(*repeated, 1), abs=1e-9)


@given(examples, st.floats(0.1, 10))
def test_equal_weights_change_nothing(pairs, weight):
    confidence, correct = np.array(pairs).T
    weighted = calibration_metrics(confidence, correct, np.full(len(confidence), weight))
    assert weighted == pytest.approx(calibration_metrics(confidence, correct), abs=1e-9)


def test_weighted_errors_of_a_case_worked_by_hand():
    # Two bins of two: accuracy 1/4 and confidence 0.2 with weight 4, accuracy 1 and confidence 0.9 with weight 2.
    case = [0.2, 0.2, 0.9, 0.9], [0, 1, 1, 1], 2, [3, 1, 1, 1]
    confidence, accuracy, share = reliability_bins(*case)
    assert confidence.tolist() == pytest.approx([0.2, 0.9]) and accuracy.tolist() == pytest.approx([0.25, 1])
    assert share.tolist() == pytest.approx([2 / 3, 1 / 3])
    assert rms_calibration_error(*case) == pytest.approx(np.sqrt(0.05**2 * 2 / 3 + 0.1**2 / 3))
    assert mav_calibration_error(*case) == pytest.approx(0.05 * 2 / 3 + 0.1 / 3)


def test_base_rate_weights_set_the_share_of_anomalies():
    weights = base_rate_weights(in_count=50, out_count=200, base_rate=0.02)
    assert weights[:50].tolist() == [1.0] * 50
    assert weights[50:].sum() / weights[:50].sum() == pytest.approx(0.02)
    with pytest.raises(ValueError, match="`base_rate` a number above 0, got 50, 200 and 0"):
        base_rate_weights(50, 200, 0)


@pytest.mark.parametrize("weights", [[1.0], [1.0, 0.0], [1.0, float("nan")], [1.0, float("inf")]])
def test_bad_weights_are_named(weights):
    for function in (rms_calibration_error, mav_calibration_error, soft_f1, calibration_metrics):
        with pytest.raises(ValueError, match="`weights` must be as many finite numbers above 0"):
            function([0.1, 0.2], [0, 1], weights=weights)
