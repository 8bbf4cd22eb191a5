"""evaluate.load("metrics/calibration"): the same values at once and in batches; its card; its refusals."""

import doctest
import runpy
from pathlib import Path

import evaluate
import numpy as np
import pytest

from hf_oe.calibration import calibration_metrics

FOLDER = Path(__file__).parents[1] / "metrics" / "calibration"


@pytest.fixture
def calibration():
    return evaluate.load(str(FOLDER))


def test_equals_the_function_at_once_and_in_batches(calibration):
    generator = np.random.default_rng(0)
    confidence = generator.random(500)
    correct = generator.random(500) < confidence
    expected = calibration_metrics(confidence, correct)
    assert calibration.compute(predictions=confidence, references=correct) == expected
    for start in range(0, 500, 100):
        calibration.add_batch(predictions=confidence[start : start + 100], references=correct[start : start + 100])
    assert calibration.compute() == expected


def test_bad_input_is_named(calibration):
    with pytest.raises(ValueError, match="give probabilities, not logits"):
        calibration.compute(predictions=[3.0], references=[1])


def test_the_examples_of_the_card_and_the_docstring_run(calibration, monkeypatch):
    monkeypatch.chdir(FOLDER.parents[1])
    texts = {"card": (FOLDER / "README.md").read_text(encoding="utf-8"), "docstring": calibration.inputs_description}
    for name, text in texts.items():
        test = doctest.DocTestParser().get_doctest(text, {"evaluate": evaluate}, name, name, 0)
        result = doctest.DocTestRunner().run(test)
        assert result.attempted > 1 and result.failed == 0


def test_the_page_of_the_space_computes_what_is_typed_into_it(monkeypatch):
    pytest.importorskip("gradio", reason="gradio is not installed: pip install 'hf_oe[demo]'")
    monkeypatch.chdir(FOLDER)
    page = runpy.run_path("app.py", run_name="app")
    assert page["compute"]("1.0 0.75 0.5 0.25", "1 1 1 0") == {"rms": 0.125, "mav": 0.125, "soft_f1": 0.6}
