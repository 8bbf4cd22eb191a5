"""Signals and losses that are not finite: what is saved, what is skipped, and that nothing else changes."""

import json
import os
import signal

import pytest
import torch
from torch import nn
from transformers import TrainerCallback

from hf_oe.callbacks import NonFiniteLossError, SaveOnSignal
from hf_oe.checkpoints import last_good_checkpoint

from .test_trainer import assert_same_weights
from .tiny import OUTLIERS, SIZE, Vectors, tiny_trainer, weights


class Signal(TrainerCallback):
    """Sends this process a signal in the middle of a step."""

    def __init__(self, step: int):
        self.step = step

    def on_pre_optimizer_step(self, args, state, control, **kwargs):
        if state.global_step + 1 == self.step:
            os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize("outliers", ["map-style", "stream"])
def test_sigterm_saves_and_exits_for_a_requeue_and_the_run_goes_on_exactly(tmp_path, outliers):
    settings = {"num_train_epochs": 2, "save_strategy": "no"}
    whole = tiny_trainer(tmp_path / "whole", OUTLIERS[outliers](), logging_steps=5, **settings)
    whole.train()
    handler = signal.getsignal(signal.SIGTERM)
    callbacks = [SaveOnSignal(), Signal(7)]
    folder = tmp_path / "stopped"
    with pytest.raises(SystemExit) as stopped:
        tiny_trainer(folder, OUTLIERS[outliers](), callbacks=callbacks, logging_steps=5, **settings).train()
    assert stopped.value.code == 75 and stopped.value.step == 7
    assert signal.getsignal(signal.SIGTERM) == handler
    assert last_good_checkpoint(folder) == str(folder / "checkpoint-7")

    resumed = tiny_trainer(folder, OUTLIERS[outliers](), logging_steps=5, **settings)
    resumed.train(resume_from_checkpoint=True)
    assert_same_weights(weights(resumed), weights(whole))
    losses = [
        [(log["step"], log["loss"]) for log in run.state.log_history if "loss" in log] for run in (whole, resumed)
    ]
    assert losses[0] == losses[1] and len(losses[0]) == 2


def test_a_signal_in_the_last_step_does_not_undo_a_finished_run(tmp_path):
    callbacks = [SaveOnSignal(), Signal(3)]
    trainer = tiny_trainer(tmp_path, OUTLIERS["map-style"](), callbacks=callbacks, max_steps=3)
    assert trainer.train().global_step == 3


class NaNAt(Vectors):
    def __init__(self, bad: set[int]):
        super().__init__(36, shift=-2.0, labelled=False)
        self.bad = bad

    def __getitem__(self, index):
        row = super().__getitem__(index)
        return {"pixel_values": row["pixel_values"] * (float("nan") if index in self.bad else 1.0)}


def test_a_nan_loss_stops_before_it_reaches_the_weights_and_says_where_it_came_from(tmp_path):
    trainer = tiny_trainer(tmp_path, NaNAt({17}), num_train_epochs=1)
    with pytest.raises(NonFiniteLossError, match="The loss of step .* the indices of its batch are in"):
        trainer.train()
    assert all(value.isfinite().all() for value in weights(trainer).values())
    (path,) = (tmp_path / "nonfinite_loss").iterdir()
    report = json.loads(path.read_text())
    assert report["step"] == trainer.state.global_step + 1
    assert 17 in report["batch"]["outliers"] and len(report["batch"]["in_distribution"]) == 4


@pytest.mark.parametrize("settings", [{}, {"gradient_accumulation_steps": 2}, {"optim": "adamw_torch"}])
def test_a_step_with_a_nan_loss_is_skipped_if_asked(tmp_path, settings):
    trainer = tiny_trainer(
        tmp_path, NaNAt({17}), num_train_epochs=1, on_nonfinite_loss="skip", logging_steps=1, **settings
    )
    trainer.model.layers.append(nn.BatchNorm1d(3))
    before = []
    trainer.add_callback(Record(before))
    trainer.train()
    assert all(value.isfinite().all() for value in weights(trainer).values())
    same = [step for step, pair in enumerate(zip(before[:-1], before[1:], strict=True)) if torch.equal(*pair)]
    (path,) = (tmp_path / "nonfinite_loss").iterdir()
    assert [step + 1 for step in same] == [json.loads(path.read_text())["step"]]
    logs = [log for log in trainer.state.log_history if "loss" in log]
    assert logs[-1]["steps_skipped"] == 1
    assert all(log[key] == log[key] for log in logs for key in log if key.startswith("loss"))


class Record(TrainerCallback):
    """Keeps a weight before each step and at the end."""

    def __init__(self, values):
        self.values = values

    def on_step_begin(self, args, state, control, model=None, **kwargs):
        self.values.append(next(model.parameters()).detach().clone())

    on_train_end = on_step_begin


def test_skipping_ends_when_nothing_is_learnt_any_more(tmp_path):
    trainer = tiny_trainer(tmp_path, NaNAt(set(range(36))), on_nonfinite_loss="skip")
    with pytest.raises(NonFiniteLossError, match="11 steps in a row"):
        trainer.train()
    assert torch.isfinite(trainer.model.layers[0].weight).all() and trainer.model.layers[0].in_features == SIZE
