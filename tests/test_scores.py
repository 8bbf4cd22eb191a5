"""Scores: definitions, direction, dtype."""

import math

import pytest
import torch

import hf_oe.methods  # noqa: F401  (registers further scores)
from hf_oe.scores import SCORES, further_outputs, gen

OF_LOGITS = sorted(set(SCORES) - {"bits_per_dim"})
LOGITS = torch.tensor([[2.0, 0.0, -1.0], [0.0, 0.0, 0.0]])


def scored(name, logits):
    """With an indifferent branch and the first class as the next token, where the score takes one."""
    dtypes = {"next_tokens": torch.int64}
    further = {output: torch.zeros(len(logits), dtype=dtypes.get(output)) for output in further_outputs(SCORES[name])}
    return SCORES[name](logits, **further)


def test_definitions():
    probabilities = LOGITS.double().softmax(dim=-1)
    uniform = torch.full((3,), 1 / 3, dtype=torch.float64)
    divergence = (uniform * (uniform / probabilities).log()).sum(dim=-1)
    expected = {
        "msp": -probabilities.amax(dim=-1),
        "kl_uniform": -divergence - math.log(3),
        "max_logit": torch.tensor([-2.0, 0.0]),
        "energy": -LOGITS.double().exp().sum(dim=-1).log(),
        "gen": (probabilities * (1 - probabilities)).pow(0.1).sum(dim=-1),
    }
    for name, values in expected.items():
        torch.testing.assert_close(SCORES[name](LOGITS.double()), values.double())


def test_gen_takes_the_largest_probabilities_and_does_not_saturate():
    logits = torch.randn(5, 7, dtype=torch.float64)
    top = logits.softmax(dim=-1).topk(3).values
    torch.testing.assert_close(gen(logits, gamma=0.3, largest=3), (top * (1 - top)).pow(0.3).sum(dim=-1))
    sure, surer = gen(torch.tensor([[30.0, 0.0, 0.0], [40.0, 0.0, 0.0]]))
    assert surer < sure


@pytest.mark.parametrize("name", OF_LOGITS)
def test_the_confident_example_is_the_less_anomalous(name):
    confident, unsure = scored(name, torch.tensor([[9.0, 0.0, 0.0], [0.1, 0.0, 0.0]]))
    assert confident < unsure or name == "confidence_branch"


@pytest.mark.parametrize("name", OF_LOGITS)
def test_half_precision_is_scored_in_float32_and_double_stays(name):
    assert scored(name, LOGITS.bfloat16()).dtype == torch.float32
    assert scored(name, LOGITS.double()).dtype == torch.float64


@pytest.mark.parametrize("name", OF_LOGITS)
def test_wrong_shape_is_named(name):
    with pytest.raises(ValueError, match=r"`logits` must have the shape \(batch, classes\), got \(3,\)"):
        scored(name, torch.zeros(3))
