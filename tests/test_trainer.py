"""OETrainer: what a step computes, exact resume, evaluation, and friendly refusals."""

import pytest
import torch
from transformers import TrainingArguments
from transformers.trainer_utils import get_last_checkpoint

from hf_oe import OETrainer, OETrainingArguments
from hf_oe.config import oe_settings
from hf_oe.data.streams import OutlierMixture
from hf_oe.objectives import OBJECTIVES, uniform

from .tiny import OUTLIERS, KillAt, Killed, TinyClassifier, Vectors, outlier_stream, tiny_model, tiny_trainer, weights


def assert_same_weights(actual, expected, **tolerance):
    for name, value in expected.items():
        torch.testing.assert_close(actual[name], value, **(tolerance or {"rtol": 0, "atol": 0}))


@pytest.mark.parametrize("outliers", ["map-style", "stream"])
def test_one_forward_pass_over_both_halves_and_the_objective_on_it(tmp_path, outliers, monkeypatch):
    trainer = tiny_trainer(tmp_path, OUTLIERS[outliers](), dropout=0.0, max_steps=1, max_grad_norm=0.0)
    batches = []
    forward = trainer.model.forward
    monkeypatch.setattr(
        trainer.model, "forward", lambda pixel_values: batches.append(pixel_values) or forward(pixel_values)
    )
    expected = tiny_model(dropout=0.0)
    trainer.train()

    (pixel_values,) = batches
    assert pixel_values.shape == (10, 6)
    labels = torch.tensor([(values[:3]).argmax() for values in pixel_values])
    is_outlier = torch.arange(10) >= 4
    loss = sum(uniform(expected(pixel_values), labels, is_outlier, weight=0.5).values())
    loss.backward()
    with torch.no_grad():
        for parameter in expected.parameters():
            parameter -= 0.05 * parameter.grad
    assert_same_weights(weights(trainer), expected.state_dict(), rtol=1e-5, atol=1e-6)


def test_the_parts_of_the_objective_are_logged_and_add_up(tmp_path):
    trainer = tiny_trainer(
        tmp_path, OUTLIERS["map-style"](), max_steps=6, logging_steps=2, gradient_accumulation_steps=2
    )
    trainer.train()
    logs = [log for log in trainer.state.log_history if "loss" in log]
    assert len(logs) == 3
    for log in logs:
        assert log["loss"] == pytest.approx(log["loss_in_distribution"] + log["loss_outlier"], rel=1e-5)


def test_accumulated_micro_batches_equal_one_large_batch(tmp_path):
    settings = {"dropout": 0.0, "noise": 0.0, "num_train_epochs": 2}
    outliers = Vectors(500, shift=-2.0, labelled=False, noise=0.0)
    large = tiny_trainer(tmp_path / "1", outliers, per_device_train_batch_size=8, outlier_batch_size=12, **settings)
    small = tiny_trainer(tmp_path / "2", outliers, gradient_accumulation_steps=2, **settings)
    large.train(), small.train()
    assert_same_weights(weights(small), weights(large), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("outliers", OUTLIERS)
@pytest.mark.parametrize(
    "settings",
    [{}, {"gradient_accumulation_steps": 2}, {"dataloader_drop_last": True, "per_device_train_batch_size": 5}],
    ids=["plain", "accumulation", "drop_last"],
)
def test_killed_at_any_step_and_resumed_gives_bit_identical_weights(tmp_path, outliers, settings):
    def trainer(folder, **kwargs):
        return tiny_trainer(tmp_path / folder, OUTLIERS[outliers](), num_train_epochs=2, **settings, **kwargs)

    whole = trainer("whole")
    whole.train()
    last_step = whole.state.global_step
    for step in (3, last_step - 1) if settings else range(2, last_step):
        with pytest.raises(Killed):
            trainer(f"killed_{step}", callbacks=[KillAt(step)]).train()
        torch.rand(step)  # a new process has other generator states
        resumed = trainer(f"killed_{step}")
        resumed.train(resume_from_checkpoint=get_last_checkpoint(resumed.args.output_dir))
        assert_same_weights(weights(resumed), weights(whole))
        last = {key: value for key, value in whole.state.log_history[-2].items() if "loss" in key}
        assert {key: resumed.state.log_history[-2][key] for key in last} == last


@pytest.mark.parametrize("persistent", [False, True])
def test_resume_with_workers(tmp_path, persistent):
    settings = {"dataloader_num_workers": 2, "dataloader_persistent_workers": persistent}
    whole = tiny_trainer(tmp_path / "whole", OUTLIERS["map-style"](), **settings)
    whole.train()
    with pytest.raises(Killed):
        tiny_trainer(tmp_path / "killed", OUTLIERS["map-style"](), callbacks=[KillAt(9)], **settings).train()
    resumed = tiny_trainer(tmp_path / "killed", OUTLIERS["map-style"](), **settings)
    resumed.train(resume_from_checkpoint=True)
    assert_same_weights(weights(resumed), weights(whole))
    assert_same_weights(weights(resumed), weights(tiny_trainer_trained(tmp_path / "in process")))


def tiny_trainer_trained(folder):
    trainer = tiny_trainer(folder, OUTLIERS["map-style"]())
    trainer.train()
    return trainer


def test_evaluate_reports_accuracy_and_every_corpus_and_logs_it(tmp_path):
    trainer = tiny_trainer(
        tmp_path, OUTLIERS["map-style"](), score=["msp", "energy"], learning_rate=0.5, num_train_epochs=9
    )
    trainer.train()
    metrics = trainer.evaluate()
    for corpus in ("far", "near", "mean"):
        for metric in ("fpr", "auroc", "aupr"):
            assert 0 <= metrics[f"eval_ood_{corpus}_{metric}"] <= 1
            assert f"eval_ood_{corpus}_energy_{metric}" in metrics
    assert metrics["eval_accuracy"] > 0.8
    assert metrics["eval_ood_far_auroc"] > 0.9
    assert trainer.state.log_history[-1]["eval_ood_far_auroc"] == metrics["eval_ood_far_auroc"]
    assert trainer.ood_results.scores["msp"]["near"].shape == (9,)


def test_labels_of_anomalies_never_reach_the_model(tmp_path):
    class WronglyLabelled(Vectors):
        def __getitem__(self, index):
            return {**super().__getitem__(index), "labels": 1000}

    trainer = tiny_trainer(tmp_path, None)
    trainer.ood_datasets = {"labelled": WronglyLabelled(10)}
    assert "eval_ood_labelled_auroc" in trainer.evaluate()


def test_figures_do_not_depend_on_the_batch_size(tmp_path):
    def figures(batch_size):
        metrics = tiny_trainer(tmp_path, None, per_device_eval_batch_size=batch_size).evaluate()
        return {key: value for key, value in metrics.items() if "ood" in key or "accuracy" in key}

    assert figures(7) == pytest.approx(figures(30), abs=1e-9)


def test_users_own_compute_metrics_comes_first(tmp_path):
    trainer = tiny_trainer(tmp_path, None)
    trainer.compute_metrics = lambda prediction: {"accuracy": 7.0}
    metrics = trainer.evaluate()
    assert metrics["eval_accuracy"] == 7.0 and "eval_ood_far_auroc" in metrics


def test_without_outliers_it_learns_as_a_plain_trainer_does(tmp_path):
    trainer = tiny_trainer(tmp_path, None, learning_rate=0.5, num_train_epochs=9)
    trainer.train()
    assert trainer.evaluate()["eval_accuracy"] > 0.9


def test_weight_decay_on_every_parameter_if_asked(tmp_path):
    for everything, names in ((True, 4), (False, 2)):
        trainer = tiny_trainer(tmp_path, None, decay_all_parameters=everything)
        assert len(trainer.get_decay_parameter_names(trainer.model)) == names


@pytest.mark.parametrize(
    ("settings", "outliers", "message"),
    [
        ({"dataloader_num_workers": 2}, outlier_stream(4), "`dataloader_num_workers` must be 0 or 1"),
        ({"label_smoothing_factor": 0.1}, Vectors(3), "`label_smoothing_factor`"),
        ({"train_sampling_strategy": "sequential"}, Vectors(3), "`train_sampling_strategy` must be 'random'"),
        ({}, Vectors(0), "`outlier_dataset` is empty"),
    ],
)
def test_what_cannot_work_is_refused_with_a_sentence(tmp_path, settings, outliers, message):
    with pytest.raises(ValueError, match=message):
        tiny_trainer(tmp_path, outliers, **settings)


def test_a_streamed_training_set_with_outliers_is_refused(tmp_path):
    with pytest.raises(ValueError, match="`train_dataset` must have a length"):
        OETrainer(
            tiny_model(),
            OETrainingArguments(str(tmp_path), max_steps=1),
            train_dataset=outlier_stream(3),
            outlier_dataset=Vectors(3),
        )


def test_plain_training_arguments_are_refused(tmp_path):
    with pytest.raises(TypeError, match="must be an OETrainingArguments, got TrainingArguments"):
        OETrainer(tiny_model(), TrainingArguments(str(tmp_path)))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"objective": "unifrom"}, "did you mean 'uniform'"),
        ({"score": ["mps"]}, "did you mean 'msp'"),
        ({"outlier_batch_size": 0}, "`outlier_batch_size` must be at least 1"),
        ({"outlier_weight": -1.0}, "`outlier_weight` must not be negative"),
        ({"recall_level": [95.0]}, "`recall_level` must be fractions"),
        ({"ood_trials": 0}, "`ood_trials` must be at least 1"),
        ({"calibration_base_rate": 0.0}, "`calibration_base_rate` must be a number greater than 0"),
        ({"ood_base_rate": 0.0}, "`ood_base_rate` must be a number greater than 0"),
    ],
)
def test_bad_arguments_are_named(tmp_path, settings, message):
    with pytest.raises(ValueError, match=message):
        OETrainingArguments(str(tmp_path), **settings)


def test_calibration_on_held_out_examples(tmp_path):
    trainer = tiny_trainer(tmp_path, OUTLIERS["map-style"](), learning_rate=0.5, num_train_epochs=4)
    trainer.calibration_dataset = Vectors(60, noise=3.0)
    trainer.train()
    metrics = trainer.evaluate()
    for corpus in ("far", "near"):
        assert 0 <= metrics[f"eval_calibration_{corpus}_mav"] <= metrics[f"eval_calibration_{corpus}_rms"] <= 1
    rows = trainer.ood_results.calibration
    trainer.args.calibration_base_rate = 0.2
    trainer.evaluate()
    assert trainer.ood_results.calibration != rows
    assert oe_settings(trainer.model)["temperature"] == trainer.ood_results.temperature > 0
    trainer.save_model()
    assert oe_settings(TinyClassifier.from_pretrained(tmp_path)) == oe_settings(trainer.model)


def test_calibration_is_left_out_with_a_warning_where_no_temperature_fits(tmp_path, caplog):
    trainer = tiny_trainer(tmp_path, OUTLIERS["map-style"](), learning_rate=0.5, num_train_epochs=4)
    trainer.calibration_dataset = Vectors(1, noise=0.0)
    trainer.train()
    assert "eval_ood_far_auroc" in trainer.evaluate()
    assert trainer.ood_results.calibration == [] and "hold out more" in caplog.text


def test_an_objective_gets_its_settings_and_what_it_asks_for(tmp_path):
    seen = []

    @OBJECTIVES.register("asks")
    def asks(outputs, labels, is_outlier, *, weight, model, inputs, margin=0.0):
        seen.append((model(**inputs)["logits"].shape, margin))
        return uniform(outputs, labels, is_outlier, weight=weight)

    try:
        settings = {"objective": "asks", "objective_kwargs": '{"margin": 2.5}'}
        tiny_trainer(tmp_path, OUTLIERS["map-style"](), max_steps=1, **settings).train()
    finally:
        del OBJECTIVES["asks"]
    assert seen == [((10, 3), 2.5)]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"margin": 1}, "'margin', which the objective 'uniform' does not take: its settings are none"),
        ("{margin}", "must be a dictionary or its JSON, got '{margin}'"),
    ],
)
def test_unknown_settings_of_an_objective_are_named(tmp_path, given, message):
    with pytest.raises(ValueError, match=message):
        OETrainingArguments(str(tmp_path), objective_kwargs=given)


@pytest.mark.parametrize("workers", [0, 1])
def test_logged_means_and_weights_do_not_depend_on_where_a_run_was_stopped_or_on_reading_ahead(tmp_path, workers):
    def mixture():
        return OutlierMixture([outlier_stream(50, shards=5), Vectors(20, shift=-3.0, labelled=False)], [0.8, 0.2])

    settings = {"num_train_epochs": 2, "logging_steps": 5, "save_steps": 3, "outlier_shuffle_block": 20}
    whole = tiny_trainer(tmp_path / "whole", mixture(), **settings)
    whole.train()
    settings["dataloader_num_workers"] = workers
    for step in (4, 7, 11):
        folder = tmp_path / f"killed_{step}"
        with pytest.raises(Killed):
            tiny_trainer(folder, mixture(), callbacks=[KillAt(step)], **settings).train()
        resumed = tiny_trainer(folder, mixture(), **settings)
        resumed.train(resume_from_checkpoint=True)
        assert_same_weights(weights(resumed), weights(whole))
        kept = [
            [{key: log[key] for key in log if key == "step" or "loss" in key} for log in run.state.log_history[:2]]
            for run in (whole, resumed)
        ]
        assert kept[0] == kept[1]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"outlier_shuffle_block": 0}, "`outlier_shuffle_block` must be at least 1"),
        ({"max_unreadable_outliers": 5.0}, "`max_unreadable_outliers` must be a fraction"),
        ({"on_nonfinite_loss": "ignore"}, "`on_nonfinite_loss` must be 'stop' or 'skip', got 'ignore'"),
    ],
)
def test_bad_arguments_about_faults_are_named(tmp_path, settings, message):
    with pytest.raises(ValueError, match=message):
        OETrainingArguments(str(tmp_path), **settings)
