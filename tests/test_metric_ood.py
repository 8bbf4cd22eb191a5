"""evaluate.load("metrics/ood"): the same values at once, in batches, combined; its card; its refusals."""

import doctest
import runpy
from pathlib import Path

import evaluate
import numpy as np
import pandas
import pytest
import torch

from hf_oe.detection import detection_metrics

FOLDER = Path(__file__).parents[1] / "metrics" / "ood"


@pytest.fixture
def ood():
    return evaluate.load(str(FOLDER))


@pytest.fixture
def example():
    generator = np.random.default_rng(0)
    is_ood = generator.random(500) < 0.3
    return generator.normal(size=500) + is_ood, is_ood


def test_equals_the_function(ood, example):
    scores, is_ood = example
    assert ood.compute(predictions=scores, references=is_ood) == detection_metrics(scores[~is_ood], scores[is_ood])


def test_batches_and_single_examples_give_the_same(ood, example):
    scores, is_ood = example
    expected = ood.compute(predictions=scores, references=is_ood, recall_level=0.8)
    for start in range(0, 490, 49):
        ood.add_batch(predictions=scores[start : start + 49], references=is_ood[start : start + 49])
    for score, reference in zip(scores[490:], is_ood[490:], strict=True):
        ood.add(prediction=score, reference=reference)
    assert ood.compute(recall_level=0.8) == expected
    assert ood.compute(predictions=scores, references=is_ood, recall_level=0.8) == expected


@pytest.mark.parametrize("convert", [list, np.float32, torch.tensor, pandas.Series])
def test_lists_arrays_tensors_and_columns_are_taken(ood, convert):
    metrics = ood.compute(predictions=convert([0, 1, 2]), references=convert([0, 0, 1]))
    assert metrics == {"fpr": 0.0, "auroc": 1.0, "aupr": 1.0}


def test_one_call_after_batches_counts_them_too(ood):
    ood.add_batch(predictions=[0.0, 3.0], references=[0, 1])
    assert ood.compute(predictions=[2.0, 1.0], references=[0, 1])["auroc"] == 0.75


def test_works_in_a_combination(ood, example):
    scores, is_ood = example
    single = ood.compute(predictions=scores, references=is_ood)
    combined = evaluate.combine([ood, evaluate.load(str(FOLDER))])
    combined.add_batch(predictions=scores, references=is_ood)
    expected = {f"ood_{number}_{key}": value for number in (0, 1) for key, value in single.items()}
    assert combined.compute() == expected
    assert combined.compute(predictions=scores, references=is_ood) == expected


@pytest.mark.parametrize("in_batches", [False, True])
def test_scores_beyond_float32_keep_their_order(ood, in_batches):
    scores, is_ood = [-1 + 1e-12, -1 + 2e-12, -1 + 3e-12], [0, 0, 1]
    if in_batches:
        ood.add_batch(predictions=scores, references=is_ood)
        metrics = ood.compute()
    else:
        metrics = ood.compute(predictions=scores, references=is_ood)
    assert metrics == {"fpr": 0.0, "auroc": 1.0, "aupr": 1.0}


def test_several_levels(ood, example):
    scores, is_ood = example
    metrics = ood.compute(predictions=scores, references=is_ood, recall_level=[0.9, 0.99])
    assert set(metrics) == {"fpr", "auroc", "aupr", "fpr_at_0.9", "fpr_at_0.99"}
    assert metrics["fpr"] == metrics["fpr_at_0.9"] <= metrics["fpr_at_0.99"]


@pytest.mark.parametrize(
    ("predictions", "references", "message"),
    [
        ([1.0, 2.0], [0, 0], "`references` must hold both classes, got 0 anomalies"),
        ([1.0, 2.0], [0, 2], "`references` must be 1 for anomalies and 0"),
        ([1.0, 2.0, 3.0], [0, 1], "of the same length"),
        ([1.0, 2.0], [0.5, 1], "`references` must be 1 for anomalies and 0"),
        ([1.0, float("nan")], [0, 1], "`predictions` must not be NaN, got 1 of 2"),
        ([1.0, None], [0, 1], "`predictions` must not be NaN"),
        (["a", "b"], [0, 1], "`predictions` must be numbers"),
        ([[1.0], [2.0]], [[0], [1]], "one-dimensional"),
        ([1.0, 2.0], None, "`predictions` and `references` belong together"),
    ],
)
def test_bad_input_is_named(ood, predictions, references, message):
    with pytest.raises(ValueError, match=message):
        ood.compute(predictions=predictions, references=references)


@pytest.mark.parametrize(
    ("predictions", "references", "message"),
    [
        ([1.0, 2.0], [1, 1], "`references` must hold both classes, got 2 anomalies"),
        ([1.0, 2.0], [0.5, 1], "`references` must be 1 for anomalies and 0"),
        ([1.0, float("nan")], [0, 1], "`predictions` must not be NaN, got 1 of 2"),
    ],
)
def test_bad_input_in_batches_is_named(ood, predictions, references, message):
    ood.add_batch(predictions=predictions, references=references)
    with pytest.raises(ValueError, match=message):
        ood.compute()


def test_bad_recall_level_is_named(ood):
    with pytest.raises(ValueError, match="`recall_level` must be a fraction"):
        ood.compute(predictions=[0.0, 1.0], references=[0, 1], recall_level=95)


def test_the_examples_of_the_card_and_the_docstring_run(ood, monkeypatch):
    monkeypatch.chdir(FOLDER.parents[1])
    texts = {"card": (FOLDER / "README.md").read_text(encoding="utf-8"), "docstring": ood.inputs_description}
    for name, text in texts.items():
        test = doctest.DocTestParser().get_doctest(text, {"evaluate": evaluate}, name, name, 0)
        result = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(test)
        assert result.attempted > 1 and result.failed == 0


def test_the_page_of_the_space_computes_what_is_typed_into_it(monkeypatch):
    gradio = pytest.importorskip("gradio", reason="gradio is not installed: pip install 'hf_oe[demo]'")
    monkeypatch.chdir(FOLDER)
    page = runpy.run_path("app.py", run_name="app")
    assert page["compute"]("0.1 0.4\n0.35 0.8", "0 0 1 1", 0.95)["auroc"] == 0.75
    with pytest.raises(gradio.Error, match="must hold both classes"):
        page["compute"]("0.1 0.4", "0 0", 0.95)
    with pytest.raises(gradio.Error, match="could not convert string to float"):
        page["compute"]("high low", "0 1", 0.95)
