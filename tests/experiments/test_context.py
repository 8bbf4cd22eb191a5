"""Context of the figures: free scores on the baseline, and groups of near and far anomalies."""

import pytest
import torch

from hf_oe.data.corpora import list_corpora
from hf_oe.experiments.context import ContextArguments, near_and_far, with_context
from hf_oe.protocols.images import CIFAR10, CIFAR100, MNIST

from ..tiny import tiny_model


def test_context_comes_after_the_scores_and_none_twice():
    assert with_context(["msp", "energy"], ["energy", "knn"], tiny_model()) == ["msp", "energy", "knn"]


def test_a_model_without_features_goes_without_detectors(caplog):
    model = tiny_model()
    model.layers[3] = torch.nn.Conv1d(16, 3, 1)
    assert with_context(["msp"], ["energy", "knn"], model) == ["msp", "energy"]
    assert "has no linear layer with 3 outputs" in caplog.text


def test_a_misspelt_context_score_is_an_error_before_anything_is_trained():
    with pytest.raises(ValueError, match="Unknown score 'knm'"):
        ContextArguments(context_scores=["knm"])


def test_what_is_not_named_near_is_far():
    assert near_and_far(["b"], ["a", "b", "c"], {}) == {"near": ["b"], "far": ["a", "c"]}
    assert near_and_far(None, ["a"], CIFAR10.groups) == CIFAR10.groups
    with pytest.raises(ValueError, match="`near` names 'd', which is not among the test corpora a, b"):
        near_and_far(["d"], ["a", "b"], {})


@pytest.mark.parametrize("protocol", [MNIST, CIFAR10, CIFAR100], ids=lambda protocol: protocol.name)
def test_the_groups_of_the_protocols_are_corpora_that_can_be_loaded(protocol):
    named = [corpus for group in protocol.groups.values() for corpus in group]
    assert set(named) <= set(list_corpora()) - {protocol.name} and len(set(named)) == len(named)
