"""Polyak averaging in a plain Trainer: what is averaged, what is evaluated and saved, and what a resumed run has."""

import pytest
import torch
from safetensors.torch import load_file
from transformers import Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_utils import get_last_checkpoint

from hf_oe.polyak import PolyakAveraging

from .tiny import KillAt, Killed, Vectors, tiny_model, tiny_trainer


class Record(TrainerCallback):
    """The weights that are trained after each step, and those that are evaluated."""

    def __init__(self):
        self.trained, self.evaluated = [], []

    def on_optimizer_step(self, args, state, control, model=None, **kwargs):
        self.trained.append({name: value.detach().clone() for name, value in model.named_parameters()})

    def on_evaluate(self, args, state, control, model=None, **kwargs):
        self.evaluated.append({name: value.detach().clone() for name, value in model.named_parameters()})


def trainer(folder, decay=0.5, callbacks=(), **settings):
    settings = {"optim": "adamw_torch", "save_strategy": "steps", "save_steps": 2, "max_steps": 5, **settings}
    args = TrainingArguments(
        str(folder),
        eval_strategy="steps",
        eval_steps=3,
        per_device_train_batch_size=4,
        learning_rate=0.05,
        report_to="none",
        disable_tqdm=True,
        use_cpu=True,
        dataloader_pin_memory=False,
        **settings,
    )
    callbacks = [Record(), PolyakAveraging(decay), *callbacks]
    return Trainer(
        tiny_model(), args, train_dataset=Vectors(24, noise=0.0), eval_dataset=Vectors(8), callbacks=callbacks
    )


def record_of(trained):
    return next(callback for callback in trained.callback_handler.callbacks if isinstance(callback, Record))


def averages(steps, decay):
    """Of each parameter after every step, straight from the definition."""
    average, result = steps[0], [steps[0]]
    for step, weights in enumerate(steps[1:], start=2):
        now = min(decay, (1 + step) / (10 + step))
        average = {name: now * average[name] + (1 - now) * value for name, value in weights.items()}
        result.append(average)
    return result


def assert_close(actual, expected, **tolerance):
    for name, value in expected.items():
        torch.testing.assert_close(actual[name], value, **tolerance)


@pytest.mark.parametrize("decay", [0.3, 0.9999])
@pytest.mark.parametrize("optim", ["adamw_torch", "sgd"])
def test_averages_are_evaluated_saved_and_left_in_the_model(tmp_path, decay, optim):
    run = trainer(tmp_path, decay, optim=optim)
    run.train()
    record = record_of(run)
    expected = averages(record.trained, decay)
    assert_close(record.evaluated[0], expected[2])
    assert_close(load_file(tmp_path / "checkpoint-2" / "model.safetensors"), expected[1])
    assert_close(dict(run.model.named_parameters()), expected[-1])


def test_training_itself_is_unchanged(tmp_path):
    last = []
    for decay, save_steps in ((0.0, 100), (0.9, 1)):
        run = trainer(tmp_path / str(decay), decay, save_steps=save_steps)
        run.train()
        last.append(record_of(run).trained[-1])
    assert_close(*last, rtol=0, atol=0)


@pytest.mark.parametrize("step", [2, 3, 5])
def test_killed_and_resumed_gives_bit_identical_weights_and_averages(tmp_path, step):
    def run(folder, *callbacks):
        # The plain Trainer draws other batches after a resume in the middle of an epoch, with averages or without.
        return tiny_trainer(tmp_path / folder, None, callbacks=[Record(), PolyakAveraging(0.9), *callbacks])

    whole = run("whole")
    whole.train()
    with pytest.raises(Killed):
        run("killed", KillAt(step)).train()
    resumed = run("killed")
    resumed.train(resume_from_checkpoint=get_last_checkpoint(tmp_path / "killed"))
    assert_close(record_of(resumed).trained[-1], record_of(whole).trained[-1], rtol=0, atol=0)
    assert_close(dict(resumed.model.named_parameters()), dict(whole.model.named_parameters()), rtol=0, atol=0)


def test_the_best_checkpoint_s_averages_stay(tmp_path):
    run = trainer(tmp_path, 0.9, save_steps=3, load_best_model_at_end=True, metric_for_best_model="loss")
    run.train()
    best = int(run.state.best_model_checkpoint.split("-")[-1])
    assert_close(dict(run.model.named_parameters()), averages(record_of(run).trained, 0.9)[best - 1])


def test_frozen_parameters_stay_as_they_are(tmp_path):
    run = trainer(tmp_path)
    frozen = next(run.model.parameters()).requires_grad_(False)
    before = frozen.clone()
    run.train()
    assert torch.equal(frozen, before)


def test_a_decay_that_is_none_is_refused():
    with pytest.raises(ValueError, match="`decay` must be at least 0 and less than 1, got 1"):
        PolyakAveraging(1.0)
