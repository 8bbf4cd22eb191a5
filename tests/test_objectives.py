"""Objectives: exact values, unequal halves, and the registry."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from hf_oe.objectives import OBJECTIVES, uniform

REFERENCE = Path(__file__).parents[2] / "shared" / "reference" / "oe_loss.npz"


def mixed_batch(examples: int, outliers: int, classes: int = 5):
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(examples + outliers, classes, generator=generator)
    labels = torch.cat([torch.randint(classes, (examples,), generator=generator), torch.full((outliers,), -100)])
    return logits, labels, torch.arange(examples + outliers) >= examples


@pytest.mark.parametrize(("examples", "outliers"), [(4, 4), (2, 7), (7, 2)])
def test_each_part_is_the_mean_over_its_own_half(examples, outliers):
    logits, labels, is_outlier = mixed_batch(examples, outliers)
    parts = uniform({"logits": logits}, labels, is_outlier, weight=0.5)
    log_probabilities = logits.log_softmax(dim=-1)
    expected_in = -log_probabilities[range(examples), labels[:examples]].mean()
    expected_out = 0.5 * -log_probabilities[examples:].mean(dim=-1).mean()
    torch.testing.assert_close(parts["in_distribution"], expected_in)
    torch.testing.assert_close(parts["outlier"], expected_out)


def test_labels_of_outliers_are_not_read():
    logits, labels, is_outlier = mixed_batch(3, 3)
    expected = uniform({"logits": logits}, labels, is_outlier)["in_distribution"]
    labels[is_outlier] = 1
    torch.testing.assert_close(uniform({"logits": logits}, labels, is_outlier)["in_distribution"], expected)


def test_uniform_softmax_attains_the_minimum_of_the_outlier_part():
    parts = uniform({"logits": torch.zeros(2, 8)}, torch.tensor([0, -100]), torch.tensor([False, True]), weight=1.0)
    assert parts["outlier"].item() == pytest.approx(math.log(8))


@pytest.mark.parametrize("half", ["examples", "outliers"])
def test_an_empty_half_counts_nothing_and_has_finite_gradients(half):
    logits, labels, is_outlier = mixed_batch(**{"examples": 3, "outliers": 3, half: 0})
    logits.requires_grad_(True)
    loss = sum(uniform({"logits": logits}, labels, is_outlier).values())
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(logits.grad).all()


def test_reference_vectors():
    if not REFERENCE.exists():
        pytest.skip("the reference vectors are not beside the repository")
    reference = np.load(REFERENCE)
    is_outlier = torch.from_numpy(reference["is_outlier"]).bool()
    labels = torch.full(is_outlier.shape, -100)
    labels[~is_outlier] = torch.from_numpy(reference["labels"])
    parts = uniform({"logits": torch.from_numpy(reference["logits"])}, labels, is_outlier, weight=1.0)
    assert parts["in_distribution"].item() == pytest.approx(float(reference["cross_entropy"]), rel=1e-6)
    assert parts["outlier"].item() == pytest.approx(float(reference["uniform_term"]), rel=1e-6)


def test_cross_entropy_is_torchs_own():
    logits, labels, is_outlier = mixed_batch(6, 2)
    torch.testing.assert_close(
        uniform({"logits": logits}, labels, is_outlier)["in_distribution"], F.cross_entropy(logits[:6], labels[:6])
    )


def test_unknown_objective_names_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'uniform'"):
        OBJECTIVES["unifrom"]


def test_a_name_is_registered_once():
    with pytest.raises(ValueError, match="registered already"):
        OBJECTIVES.register("uniform")(uniform)
