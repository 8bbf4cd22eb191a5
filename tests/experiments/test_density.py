"""A density model in OETrainer: the margin objective, evaluation, exact resume, accumulation, two processes."""

import numpy as np
import pytest
import torch
from transformers.trainer_utils import get_last_checkpoint

from hf_oe import OETrainingArguments
from hf_oe.experiments.density import DensitySuite, DensityTrainer, parse_arguments
from hf_oe.objectives import OBJECTIVES

from ..ranks import reports_of_two_ranks
from ..tiny import KillAt, Killed, weights
from ..tiny_density import EXACT, Stripes, density_model, density_trainer


def assert_same(actual, expected, **tolerance):
    for name, value in expected.items():
        torch.testing.assert_close(actual[name], value, **(tolerance or {"rtol": 0, "atol": 0}))


def test_a_step_is_one_forward_pass_and_the_margin_objective_on_it(tmp_path, monkeypatch):
    run = density_trainer(tmp_path, dropout=0.0, max_steps=1)
    batches = []
    forward = run.model.forward
    monkeypatch.setattr(
        run.model, "forward", lambda pixel_values: batches.append(pixel_values) or forward(pixel_values)
    )
    run.train()
    (pixels,) = batches
    is_outlier = torch.arange(8) >= 4
    with torch.no_grad():
        parts = OBJECTIVES["margin"](density_model(0.0)(pixels), None, is_outlier, weight=0.5)
    log = run.state.log_history[0]
    for name, value in parts.items():
        assert log[f"loss_{name}"] == pytest.approx(value.item(), rel=1e-4)


def test_the_baseline_is_trained_for_bits_a_dimension_and_evaluated_by_them(tmp_path):
    run = density_trainer(tmp_path, with_outliers=False, dropout=0.0, num_train_epochs=6)
    before = run.evaluate()
    run.train()
    after = run.evaluate()
    assert after["eval_loss"] < before["eval_loss"]
    assert run.ood_results.test_error is None and "eval_accuracy" not in after
    scores = run.ood_results.scores["bits_per_dim"]
    assert scores["noise"].shape == (20,)
    assert scores["in_distribution"].mean() == pytest.approx(after["eval_loss"], rel=1e-5)
    assert after["eval_ood_noise_auroc"] == run.state.log_history[-1]["eval_ood_noise_auroc"]


def test_outlier_exposure_makes_outliers_less_likely(tmp_path):
    run = density_trainer(tmp_path, dropout=0.0, num_train_epochs=20, save_strategy="no")
    before = run.evaluate()["eval_ood_noise_auroc"]
    run.train()
    assert run.evaluate()["eval_ood_noise_auroc"] > max(before, 0.9)


def test_a_score_of_logits_is_refused_with_a_sentence(tmp_path):
    with pytest.raises(ValueError, match=r"`logits` must have the shape \(batch, classes\), got \(12,\)"):
        density_trainer(tmp_path, score=["msp"]).evaluate()


@pytest.mark.parametrize("with_outliers", [False, True])
@pytest.mark.parametrize("settings", [{}, {"gradient_accumulation_steps": 2}, {"bf16": True}])
def test_killed_and_resumed_gives_bit_identical_weights(tmp_path, with_outliers, settings):
    whole = density_trainer(tmp_path / "whole", with_outliers, **settings)
    whole.train()
    with pytest.raises(Killed):
        density_trainer(tmp_path / "killed", with_outliers, callbacks=[KillAt(3)], **settings).train()
    torch.rand(3)  # a new process has another generator state
    resumed = density_trainer(tmp_path / "killed", with_outliers, **settings)
    resumed.train(resume_from_checkpoint=get_last_checkpoint(resumed.args.output_dir))
    assert_same(weights(resumed), weights(whole))
    assert all(torch.isfinite(value).all() for value in weights(whole).values())


def test_accumulated_micro_batches_equal_one_large_batch(tmp_path):
    large = density_trainer(tmp_path / "large", **EXACT, per_device_train_batch_size=8)
    small = density_trainer(tmp_path / "small", **EXACT, gradient_accumulation_steps=2)
    large.train(), small.train()
    assert_same(weights(small), weights(large), rtol=1e-4, atol=1e-6)


@pytest.fixture(scope="module")
def ranks(tmp_path_factory):
    return reports_of_two_ranks("tests.tiny_density", tmp_path_factory.mktemp("two_processes"))


def test_two_processes_equal_one_with_the_same_global_batches(ranks, tmp_path):
    single = density_trainer(tmp_path, **EXACT, per_device_train_batch_size=8)
    single.train()
    metrics = single.evaluate()
    for rank in ranks:
        assert rank["world_size"] == 2
        assert_same(rank["weights"], weights(single), rtol=1e-4, atol=1e-6)
        for name, value in rank["metrics"].items():
            assert metrics[name] == pytest.approx(value, abs=0.02)


def test_two_processes_resume_with_bit_identical_weights(ranks):
    for rank in ranks:
        assert_same(rank["resumed"], rank["whole"])


def test_the_suite_evaluates_each_correction_as_a_score(tmp_path):
    bits = {"in_distribution": np.array([3.0, 4.0]), "noise": np.array([4.0, 5.0])}
    corrections = {"input_complexity": {"in_distribution": np.array([1.0, 1.0]), "noise": np.array([9.0, 9.0])}}
    suite = DensitySuite(corrections, OETrainingArguments(str(tmp_path), ood_base_rate=1.0))
    results = suite.evaluate_logits(bits["in_distribution"], {"noise": bits["noise"]})
    assert {row.score: row.auroc for row in results.rows} == {"bits_per_dim": 0.875, "input_complexity": 0.0}
    assert suite.mean_bits_per_dim == {"in_distribution": 3.5, "noise": 4.5}


def test_defaults_are_those_of_table_5(tmp_path):
    args, training_args = parse_arguments(["--output_dir", str(tmp_path)])
    assert (args.image_size, args.filters, args.blocks, args.mixtures, args.dropout) == (32, 160, 5, 10, 0.5)
    assert training_args.objective == "margin" and training_args.score == ["bits_per_dim"]
    assert training_args.num_train_epochs == 1 and training_args.learning_rate == 2e-4


def test_labels_of_the_dataset_do_not_reach_the_model(tmp_path):
    run = density_trainer(tmp_path, with_outliers=False)
    batch = next(iter(run.get_eval_dataloader()))
    assert set(batch) == {"pixel_values"} and "labels" in Stripes(1)[0]


@pytest.mark.parametrize(("version", "epochs"), [("paper", None), ("iclr", 2)])
def test_the_published_paper_exposes_for_twice_as_long(tmp_path, version, epochs):
    args, training_args = parse_arguments(["--output_dir", str(tmp_path), "--protocol", version])
    assert (args.oe_epochs or training_args.num_train_epochs) == (epochs or 1)


@pytest.mark.parametrize(
    ("schedule", "rates"),
    [(None, [0.25, 0.5 * 0.9, 0.75 * 0.81, 0.9**3, 0.9**4]), ("linear", [0, 1 / 3, 2 / 3, 1, 0.5])],
)
def test_the_learning_rate_decays_after_a_warm_up_unless_another_schedule_is_named(tmp_path, schedule, rates):
    settings = ["--output_dir", str(tmp_path), "--warmup_steps", "3", "--learning_rate_decay", "0.9"]
    args, training_args = parse_arguments(settings + (["--lr_scheduler_type", schedule] if schedule else []))
    run = DensityTrainer(args, DensitySuite({}, training_args), model=density_model(), args=training_args)
    run.create_optimizer_and_scheduler(num_training_steps=5)
    actual = []
    for _ in rates:
        actual.append(run.lr_scheduler.get_last_lr()[0] / training_args.learning_rate)
        run.optimizer.step(), run.lr_scheduler.step()
    assert actual == pytest.approx(rates)
