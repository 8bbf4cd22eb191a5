"""`OELanguageModelTrainer` on tiny models: GPT-2, one with LoRA adapters, and the paper's recurrent ones."""

import math

import numpy as np
import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel, default_data_collator

from hf_oe import OELanguageModelTrainer, OETrainingArguments
from hf_oe.data.sequences import TokenSequences
from hf_oe.language_trainer import token_frequencies
from hf_oe.models import AWDLSTMConfig, AWDLSTMForCausalLM

VOCABULARY, LENGTH = 24, 8


def stream(count, low, high, seed):
    """Counts up in steps of one or two between `low` and `high`: easy to learn."""
    steps = np.random.default_rng(seed).integers(1, 3, count)
    return low + np.cumsum(steps) % (high - low)


def sets():
    return {
        "train_dataset": TokenSequences(stream(500, 0, 12, 0), LENGTH),
        "outlier_dataset": TokenSequences(stream(300, 10, 20, 1), LENGTH),
        "eval_dataset": TokenSequences(stream(220, 0, 12, 2), LENGTH),
        "ood_datasets": {"far": TokenSequences(stream(90, 14, 24, 3), LENGTH)},
    }


def gpt2():
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=VOCABULARY, n_positions=16, n_embd=16, n_layer=2, n_head=2)
    config.bos_token_id = config.eos_token_id = None
    return GPT2LMHeadModel(config)


def lora():
    peft = pytest.importorskip("peft")
    config = peft.LoraConfig(task_type="CAUSAL_LM", target_modules=["c_attn"], r=4, fan_in_fan_out=True)
    return peft.get_peft_model(gpt2(), config)


def recurrent(cell):
    torch.manual_seed(0)
    config = AWDLSTMConfig(VOCABULARY, embedding_size=12, hidden_size=16, num_layers=2, cell=cell, weight_dropout=0.1)
    return AWDLSTMForCausalLM(config)


MODELS = {"gpt2": gpt2, "lora": lora, "lstm": lambda: recurrent("lstm"), "qrnn": lambda: recurrent("qrnn")}


def trainer(folder, model, **settings):
    arguments = {
        "objective": "token_uniform",
        "score": ["kl_uniform", "token_nll"],
        "recall_level": [0.9],
        "num_train_epochs": 2,
        "per_device_train_batch_size": 8,
        "outlier_batch_size": 5,
        "learning_rate": 0.02,
        "logging_steps": 2,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "use_cpu": True,
        "dataloader_pin_memory": False,
    }
    given = {**sets(), "data_collator": default_data_collator}
    given.update({key: settings.pop(key) for key in list(settings) if key in given})
    return OELanguageModelTrainer(model, OETrainingArguments(str(folder), **arguments | settings), **given)


@pytest.mark.parametrize("name", MODELS)
def test_trains_with_outliers_and_detects_anomalies(name, tmp_path):
    run = trainer(tmp_path, MODELS[name]())
    run.train()
    logged = [entry for entry in run.state.log_history if "loss_outlier" in entry]
    assert logged[-1]["loss_in_distribution"] < logged[0]["loss_in_distribution"]
    assert ("loss_penalty" in logged[0]) == (name in ("lstm", "qrnn"))
    metrics = run.evaluate()
    assert metrics["eval_perplexity"] == pytest.approx(math.exp(metrics["eval_loss"]))
    if name != "lora":  # The adapters of a random model can do little.
        assert metrics["eval_ood_far_auroc"] > 0.9
    assert {"eval_ood_far_token_nll_fpr", "eval_ood_mean_aupr"} <= set(metrics)
    assert run.ood_results.test_error is None
    assert set(run.ood_results.figures) == {"perplexity", "bits_per_token"}


def test_outliers_make_the_model_unsure_of_them(tmp_path):
    def evaluated(outliers):
        run = trainer(tmp_path, gpt2(), outlier_dataset=outliers, num_train_epochs=4)
        run.train()
        metrics = run.evaluate()
        return metrics["eval_ood_far_auroc"], run.ood_results.scores["kl_uniform"]["far"].mean()

    (before, surer), (after, unsure) = evaluated(None), evaluated(sets()["outlier_dataset"])
    assert after >= before and unsure > surer
    assert unsure > -1.2 * math.log(VOCABULARY)  # -log(vocabulary) is that of the uniform distribution


def test_evaluation_is_exact_over_tokens_and_whatever_the_batch(tmp_path):
    model, rows = gpt2(), sets()["eval_dataset"]
    losses = [model.eval()(**default_data_collator([row])).loss.item() for row in rows]
    for batch_size in (1, 5, 64):
        run = trainer(tmp_path, model, per_device_eval_batch_size=batch_size)
        metrics = run.evaluate()
        assert metrics["eval_loss"] == pytest.approx(np.mean(losses), rel=1e-5)
        scores = run.ood_results.scores["token_nll"]["in_distribution"]
        np.testing.assert_allclose(scores, losses, rtol=0, atol=1e-5)


def test_only_scores_leave_the_device(tmp_path):
    run = trainer(tmp_path, gpt2())
    output = run.predict(run.eval_dataset)
    assert output.predictions.shape == (len(run.eval_dataset), 2)
    assert output.metrics["test_perplexity"] > 1


class LeftPadded(torch.utils.data.Dataset):
    """Rows of another set with `padding` at their left."""

    def __init__(self, rows, padding):
        self.rows, self.padding = rows, padding

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        tokens = self.rows[index]["input_ids"]
        fill = tokens.new_full((self.padding,), 0)
        return {
            "input_ids": torch.cat([fill, tokens]),
            "attention_mask": torch.cat([fill, torch.ones_like(tokens)]),
            "labels": torch.cat([fill - 100, tokens]),
        }


@pytest.mark.parametrize("name", ["gpt2", "lora"])
def test_left_padding_changes_neither_training_nor_scores(name, tmp_path):
    plain, padded = trainer(tmp_path, MODELS[name](), lr_scheduler_type="constant"), None
    wider = {
        key: {"far": LeftPadded(value["far"], 3)} if key == "ood_datasets" else LeftPadded(value, 3)
        for key, value in sets().items()
    }
    padded = trainer(tmp_path, MODELS[name](), lr_scheduler_type="constant", **wider)
    for run in (plain, padded):
        for module in run.model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        run.train()
        run.evaluate()
    for score, by_corpus in plain.ood_results.scores.items():
        for corpus, values in by_corpus.items():
            np.testing.assert_allclose(padded.ood_results.scores[score][corpus], values, rtol=0, atol=1e-3)
    assert padded.evaluate()["eval_loss"] == pytest.approx(plain.evaluate()["eval_loss"], abs=1e-3)


def test_unigram_frequencies_are_counted_from_the_training_set_and_not_saved(tmp_path):
    run = trainer(tmp_path, gpt2(), objective="unigram", num_train_epochs=1)
    frequencies = run.model.unigram_frequencies
    assert frequencies.sum() == pytest.approx(1) and frequencies[12:].sum() == 0
    run.train()
    run.save_model()
    assert "unigram_frequencies" not in GPT2LMHeadModel.from_pretrained(tmp_path).state_dict()


def test_padding_has_no_frequency():
    rows = [{"input_ids": [0, 0, 5], "attention_mask": [0, 1, 1]}, {"input_ids": [5, 5]}]
    assert token_frequencies(rows, 7).tolist() == [0.25, 0, 0, 0, 0, 0.75, 0]


def test_an_objective_of_classifiers_is_refused(tmp_path):
    with pytest.raises(ValueError, match="token_uniform"):
        trainer(tmp_path, gpt2(), objective="uniform")
