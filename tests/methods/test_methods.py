"""Every method by its name: two steps, exact resume, the baseline, and evaluation with its own score."""

import pytest
import torch
from transformers.trainer_utils import get_last_checkpoint

from hf_oe import OETrainingArguments
from hf_oe.methods import METHODS, method_of
from hf_oe.objectives import OBJECTIVES

from ..tiny import OUTLIERS, KillAt, Killed, tiny_trainer, weights

# Of classifiers: those of language models and of density models have tests of their own.
BEYOND_UNIFORM = sorted(set(OBJECTIVES) - {"uniform", "margin", "token_uniform", "unigram"})


@pytest.mark.parametrize("objective", BEYOND_UNIFORM)
def test_two_steps_change_the_weights_and_stay_finite(tmp_path, objective):
    trainer = tiny_trainer(tmp_path, OUTLIERS["map-style"](), objective=objective, max_steps=2, max_grad_norm=0.0)
    before = weights(trainer)
    trainer.train()
    after = weights(trainer)
    assert all(torch.isfinite(value).all() for value in after.values())
    assert any(not torch.equal(after[name], value) for name, value in before.items())
    logs = [log for log in trainer.state.log_history if "loss" in log]
    parts = [sum(value for name, value in log.items() if name.startswith("loss_")) for log in logs]
    assert parts == pytest.approx([log["loss"] for log in logs], rel=1e-4)


@pytest.mark.parametrize("objective", BEYOND_UNIFORM)
def test_killed_and_resumed_gives_bit_identical_weights(tmp_path, objective):
    settings = {"objective": objective, "num_train_epochs": 1, "learning_rate": 0.01}
    whole = tiny_trainer(tmp_path / "whole", OUTLIERS["map-style"](), **settings)
    whole.train()
    with pytest.raises(Killed):
        tiny_trainer(tmp_path / "cut", OUTLIERS["map-style"](), callbacks=[KillAt(3)], **settings).train()
    torch.rand(3)  # a new process has other generator states
    resumed = tiny_trainer(tmp_path / "cut", OUTLIERS["map-style"](), **settings)
    resumed.train(resume_from_checkpoint=get_last_checkpoint(resumed.args.output_dir))
    expected = weights(whole)
    for name, value in weights(resumed).items():
        torch.testing.assert_close(value, expected[name], rtol=0, atol=0)


@pytest.mark.parametrize("objective", BEYOND_UNIFORM)
def test_it_is_evaluated_with_its_own_score(tmp_path, objective):
    trainer = tiny_trainer(tmp_path, None, objective=objective)
    metrics = trainer.evaluate()
    assert {row.score for row in trainer.ood_results.rows} == {method_of(objective).score}
    assert 0 <= metrics["eval_ood_far_auroc"] <= 1 and 0 <= metrics["eval_accuracy"] <= 1


@pytest.mark.parametrize("objective", sorted(name for name, method in METHODS.items() if method.own_baseline))
def test_its_baseline_learns_the_classes_without_outliers(tmp_path, objective):
    trainer = tiny_trainer(tmp_path, None, objective=objective, learning_rate=0.5, num_train_epochs=12, dropout=0.0)
    trainer.train()
    assert trainer.evaluate()["eval_accuracy"] > 0.9
    assert trainer.state.log_history[0]["loss_outlier"] == 0


@pytest.mark.parametrize("objective", ["confidence_branch", "energy_bounded", "multilabel", "reject"])
def test_outliers_improve_its_score(tmp_path, objective):
    settings = {"objective": objective, "learning_rate": 0.1, "num_train_epochs": 8, "dropout": 0.0}
    baseline, exposed = (
        tiny_trainer(tmp_path / name, OUTLIERS[kind](), **settings)
        for name, kind in (("baseline", "none"), ("exposed", "map-style"))
    )
    baseline.train(), exposed.train()
    before, after = baseline.evaluate()["eval_ood_far_auroc"], exposed.evaluate()["eval_ood_far_auroc"]
    assert after >= before and after > 0.95


@pytest.mark.parametrize(
    ("objective", "weight", "score"), [("uniform", 0.5, "msp"), ("energy_bounded", 0.1, "energy")]
)
def test_weight_and_score_follow_the_objective_unless_given(tmp_path, objective, weight, score):
    args = OETrainingArguments(str(tmp_path), objective=objective)
    assert (args.outlier_weight, args.score) == (weight, [score])
    args = OETrainingArguments(str(tmp_path), objective=objective, outlier_weight=2.0, score=["max_logit"])
    assert (args.outlier_weight, args.score) == (2.0, ["max_logit"])


def test_a_score_whose_output_the_model_lacks_is_refused_with_a_sentence(tmp_path):
    with pytest.raises(ValueError, match="takes the model's output 'branch_logits', but there are only logits"):
        tiny_trainer(tmp_path, None, score=["reject"]).evaluate()
