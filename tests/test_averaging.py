"""Averaged SGD: when it begins, and that the averages become the model's weights."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from hf_oe.averaging import NonMonotonicAveraging
from hf_oe.data.sequences import TokenSequences
from hf_oe.models import AWDLSTMConfig, AWDLSTMForCausalLM

SEQUENCES = TokenSequences(np.arange(60) % 12, 5)


def tiny():
    torch.manual_seed(0)
    return AWDLSTMForCausalLM(AWDLSTMConfig(12, embedding_size=4, hidden_size=4, num_layers=1))


@pytest.mark.parametrize(
    ("losses", "begins"), [([5, 4, 3, 2, 1], None), ([5, 3, 4, 4, 4], 4), ([1, 2, 3, 4, 5], 3), ([2, 2, 2, 2], None)]
)
def test_begins_when_the_loss_exceeds_that_of_before_the_last_epochs(losses, begins, monkeypatch):
    callback, model = NonMonotonicAveraging(SEQUENCES, patience=2), tiny()
    given = iter(losses)
    monkeypatch.setattr(callback, "_validation_loss", lambda model: next(given))
    callback.on_train_begin(None, None, None)
    begun = None
    for epoch in range(len(losses)):
        callback.on_epoch_end(None, None, None, model=model)
        if callback.average is not None and begun is None:
            begun = epoch
    assert begun == begins


def test_the_mean_of_the_steps_becomes_the_model():
    callback, model = NonMonotonicAveraging(SEQUENCES, patience=1), tiny()
    callback.on_train_begin(None, None, None)
    callback.losses = [0.0, 0.0]
    callback.on_epoch_end(None, None, None, model=model)
    states = []
    for step in range(3):
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(step + 1.0)
        callback.on_step_end(None, None, None, model=model)
        states.append({name: value.clone() for name, value in model.state_dict().items()})
    callback.on_train_end(None, None, None, model=model)
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, sum(state[name] for state in states) / 3)
    assert model.decoder.weight is model.encoder.weight


def test_the_validation_loss_is_the_models_and_leaves_its_mode():
    callback, model = NonMonotonicAveraging(SEQUENCES, batch_size=3), tiny().train()
    loss = callback._validation_loss(model)
    assert model.training
    rows = torch.stack([row["input_ids"] for row in (SEQUENCES[index] for index in range(len(SEQUENCES)))])
    assert loss == pytest.approx(model.eval()(rows, labels=rows).loss.item(), rel=1e-5)


def test_no_patience_is_refused():
    with pytest.raises(ValueError, match="`patience`"):
        NonMonotonicAveraging(SimpleNamespace(), patience=0)
