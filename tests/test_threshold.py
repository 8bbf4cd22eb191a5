"""The deployment threshold: what it promises on the data it was chosen on, its interval, and where it is stored."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_oe.threshold import fit_threshold, threshold_at_fpr, threshold_at_recall

from .tiny import TinyClassifier, Vectors, tiny_model

scores = st.lists(st.integers(-5, 5) | st.floats(-5, 5, width=32), min_size=1, max_size=60).map(np.array)
targets = st.floats(0.01, 0.99)


@given(scores, targets)
def test_no_lower_threshold_keeps_the_false_positive_rate(values, target):
    threshold = threshold_at_fpr(values, target)
    assert np.mean(values >= threshold) <= target + 1e-9
    assert np.mean(values >= np.nextafter(threshold, -np.inf)) > target - 1e-9


@given(scores, targets)
def test_no_higher_threshold_keeps_the_recall(values, target):
    threshold = threshold_at_recall(values, target)
    assert np.mean(values >= threshold) >= target - 1e-9
    assert np.mean(values >= np.nextafter(threshold, np.inf)) < target + 1e-9


def test_it_is_stored_with_the_model_and_survives_saving(tmp_path):
    model = tiny_model()
    threshold = fit_threshold(model, Vectors(200, noise=0.0), target_fpr=0.1)
    assert threshold.achieved <= 0.1 and threshold.low <= threshold.value <= threshold.high
    model.save_pretrained(tmp_path)
    stored = TinyClassifier.from_pretrained(tmp_path).config.oe["threshold"]
    assert stored["value"] == threshold.value and (stored["target"], stored["target_value"]) == ("fpr", 0.1)


def test_recall_on_anomalies():
    threshold = fit_threshold(tiny_model(), anomalies=Vectors(50, noise=0.0), target_recall=0.8, score="energy")
    assert threshold.achieved >= 0.8 and threshold.examples == 50 and threshold.score == "energy"


def test_more_data_gives_a_narrower_interval():
    model = tiny_model()
    few, many = (fit_threshold(model, Vectors(size, noise=0.0), target_fpr=0.2) for size in (30, 1000))
    assert many.high - many.low < few.high - few.low


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "exactly one of `target_fpr` and `target_recall`"),
        ({"target_fpr": 0.1, "target_recall": 0.9}, "exactly one"),
        ({"target_recall": 0.9}, "`target_recall` is measured on `anomalies`"),
        ({"target_fpr": 5}, "`target_fpr` must be a fraction between 0 and 1, got 5"),
    ],
)
def test_bad_targets_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        fit_threshold(tiny_model(), Vectors(5), **settings)
