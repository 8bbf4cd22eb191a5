"""Checkpoints are complete or absent: what interrupts or damages them, and which one a run resumes from."""

import errno
import json
import shutil
from pathlib import Path

import pytest
from transformers import Trainer, TrainingArguments

from hf_oe.checkpoints import MANIFEST, CheckpointError, checkpoint_problem, last_good_checkpoint, write_manifest

from .tiny import Vectors, tiny_model, tiny_trainer


def checkpoint(output_dir: Path, step: int) -> Path:
    folder = output_dir / f"checkpoint-{step}"
    (folder / "global_step").mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(bytes(range(200)))
    (folder / "global_step" / "shard.pt").write_bytes(b"weights")
    (folder / "trainer_state.json").write_text("{}")
    write_manifest(folder)
    return folder


def truncate(folder):
    (folder / "model.safetensors").write_bytes(bytes(range(100)))


def flip_a_bit(folder):
    (folder / "model.safetensors").write_bytes(bytes([1, *range(1, 200)]))


DAMAGE = {
    "truncated": (truncate, "damaged file model.safetensors"),
    "flipped bit": (flip_a_bit, "damaged file model.safetensors"),
    "missing file": (
        lambda folder: (folder / "global_step" / "shard.pt").unlink(),
        "lacks the file global_step/shard",
    ),
    "missing manifest": (lambda folder: (folder / MANIFEST).unlink(), "has no manifest.json"),
    "cut manifest": (lambda folder: (folder / MANIFEST).write_text('{"files": {'), "unreadable manifest.json"),
    "other JSON": (lambda folder: (folder / MANIFEST).write_text("[]"), "unreadable manifest.json"),
    "emptied": (lambda folder: shutil.rmtree(folder) or folder.mkdir(), "has no manifest.json"),
}


@pytest.mark.parametrize(("damage", "problem"), DAMAGE.values(), ids=DAMAGE)
def test_the_newest_undamaged_checkpoint_is_chosen(tmp_path, caplog, damage, problem):
    older, newest = checkpoint(tmp_path, 9), checkpoint(tmp_path, 10)
    assert last_good_checkpoint(tmp_path) == str(newest) and checkpoint_problem(newest) is None
    damage(newest)
    assert last_good_checkpoint(tmp_path) == str(older)
    assert problem in caplog.text and "checkpoint-10" in caplog.text


def test_there_may_be_none(tmp_path):
    checkpoint(tmp_path / "_incomplete", 5)
    assert last_good_checkpoint(tmp_path) is None
    assert last_good_checkpoint(tmp_path / "missing") is None


def trained(folder, **settings):
    trainer = tiny_trainer(folder, Vectors(50, shift=-2.0, labelled=False), num_train_epochs=1, **settings)
    trainer.train()
    return trainer


def test_a_run_leaves_complete_checkpoints_and_prunes_old_ones(tmp_path):
    trained(tmp_path, save_total_limit=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-4", "checkpoint-6"]
    assert all(checkpoint_problem(path) is None for path in tmp_path.iterdir())


@pytest.mark.parametrize(
    ("error", "raised", "message"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device"),
            OSError,
            "The disk is full while .*checkpoint-4 is written",
        ),
        (RuntimeError("PytorchStreamWriter failed: No space left on device"), OSError, "The disk is full"),
        (RuntimeError("something else"), RuntimeError, "something else"),
    ],
)
def test_a_checkpoint_that_fails_leaves_the_older_one_and_nothing_else(tmp_path, monkeypatch, error, raised, message):
    save = Trainer._save_optimizer_and_scheduler

    def fail_at_step_4(self, output_dir):
        save(self, output_dir)
        if self.state.global_step == 4:
            raise error

    monkeypatch.setattr(Trainer, "_save_optimizer_and_scheduler", fail_at_step_4)
    with pytest.raises(raised, match=message):
        trained(tmp_path, save_total_limit=1)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-2"]
    assert last_good_checkpoint(tmp_path)


def test_resuming_passes_over_a_damaged_checkpoint_or_names_it(tmp_path):
    trained(tmp_path)
    truncate(tmp_path / "checkpoint-6")
    with pytest.raises(
        CheckpointError, match=r"checkpoint-6' cannot be used: it has a damaged file model.safetensors"
    ):
        trained_again(tmp_path, str(tmp_path / "checkpoint-6"))
    assert trained_again(tmp_path, True)._initial_global_step == 4
    assert checkpoint_problem(tmp_path / "checkpoint-6") is None


def trained_again(folder, resume):
    trainer = tiny_trainer(folder, Vectors(50, shift=-2.0, labelled=False), num_train_epochs=1)
    trainer.train(resume_from_checkpoint=resume)
    return trainer


@pytest.mark.parametrize(
    ("resume", "message"),
    [(True, "holds no good checkpoint: train from the start"), ("elsewhere", "'elsewhere' is not a checkpoint")],
)
def test_resuming_from_nothing_is_an_error(tmp_path, resume, message):
    with pytest.raises(CheckpointError, match=message):
        trained_again(tmp_path, resume)


def test_a_checkpoint_of_another_trainer_is_taken_if_it_is_named(tmp_path):
    settings = {"per_device_train_batch_size": 4, "max_steps": 6, "save_steps": 3, "report_to": "none", "optim": "sgd"}
    args = TrainingArguments(str(tmp_path), use_cpu=True, disable_tqdm=True, **settings)
    Trainer(tiny_model(), args, train_dataset=Vectors(24)).train()
    assert last_good_checkpoint(tmp_path) is None
    assert trained_again(tmp_path, str(tmp_path / "checkpoint-3")).state.global_step == 6


def test_the_best_checkpoint_is_found_again(tmp_path):
    settings = {"eval_strategy": "steps", "eval_steps": 2, "load_best_model_at_end": True}
    trainer = trained(tmp_path, metric_for_best_model="accuracy", **settings)
    assert Path(trainer.state.best_model_checkpoint).parent == tmp_path
    state = json.loads((tmp_path / "checkpoint-6" / "trainer_state.json").read_text())
    assert Path(state["best_model_checkpoint"]).is_dir()


def test_a_checkpoint_of_another_number_of_processes_is_refused(tmp_path):
    trained(tmp_path)
    folder = tmp_path / "checkpoint-4"
    shutil.copy(folder / "resume_state_0.pt", folder / "resume_state_1.pt")
    with pytest.raises(ValueError, match="was written by 2 processes, and there are 1 now"):
        trained_again(tmp_path, str(folder))
