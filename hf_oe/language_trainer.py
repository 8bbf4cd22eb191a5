"""`OELanguageModelTrainer`: Outlier Exposure of causal language models."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from transformers import Trainer
from transformers.trainer_utils import EvalLoopOutput

from .next_token import right_padded, token_scores
from .trainer import OETrainer

_FURTHER = ("nll_sum", "num_tokens")
"""Columns after those of the scores: a sequence's negative log-likelihood and number of predicted tokens."""


class OELanguageModelTrainer(OETrainer):
    """An `OETrainer` for causal language models: GPT-2, Llama, one with LoRA adapters, `AWDLSTMForCausalLM` …

    Rows hold `input_ids` and `labels`, the same tokens (and `attention_mask` with padding on either side), as
    transformers' collators for causal language modelling make them. With outliers the objective must be one for
    language models, "token_uniform" or "unigram".

    `evaluate()` gives the loss in nats a token, `perplexity` and `bits_per_token`, over all tokens alike, and tells
    sequences of `ood_datasets` from those of `eval_dataset`. Sequences are scored on the device, and only their scores
    leave it: a sequence's is the mean over its tokens of any of `hf_oe.scores.SCORES`, such as "token_nll" or
    "kl_uniform". `predict()` returns them, a column each, in place of logits.

    Example:
        >>> trainer = OELanguageModelTrainer(
        ...     model=AutoModelForCausalLM.from_pretrained("your/model"),
        ...     args=OETrainingArguments("out", objective="token_uniform", score=["kl_uniform"], recall_level=[0.9]),
        ...     train_dataset=TokenSequences(token_stream(texts, tokenizer), 128),
        ...     outlier_dataset=TokenSequences(token_stream(other_texts, tokenizer), 128),
        ... )
    """

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        if self.outlier_dataset is not None and self.args.objective == "uniform":
            raise ValueError(
                "`objective` is 'uniform', which is for classifiers: choose 'token_uniform' for a language model."
            )
        if self.args.objective == "unigram" and self.outlier_dataset is not None:
            frequencies = token_frequencies(self.train_dataset, self.model.config.get_text_config().vocab_size)
            # Not saved: the training set determines it.
            buffer = torch.from_numpy(frequencies).float().to(self.args.device)
            self.model.register_buffer("unigram_frequencies", buffer, persistent=False)

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        return super().compute_loss(model, right_padded(inputs), return_outputs, num_items_in_batch)

    def prediction_step(self, model, inputs, prediction_loss_only, ignore_keys=None):
        """Scores in place of logits, `(batch, scores + 2)`; see `_FURTHER`."""
        inputs = self._prepare_inputs(inputs)
        with self.compute_loss_context_manager():
            by_token = token_scores(model, inputs, list(dict.fromkeys([*self.args.score, "token_nll"])))
        nll = by_token["token_nll"]
        columns = [by_token[name].nanmean(dim=1) for name in self.args.score]
        columns += [nll.nansum(dim=1), nll.isfinite().sum(dim=1).float()]
        return None, torch.stack(columns, dim=1), None

    def evaluation_loop(
        self, dataloader, description, prediction_loss_only=None, ignore_keys=None, metric_key_prefix="eval"
    ) -> EvalLoopOutput:
        """Adds loss, perplexity and bits a token and, when evaluating, `<prefix>_ood_<corpus>_<metric>`."""
        self._prepare_evaluation()
        columns, output = self._columns(dataloader, description, ignore_keys, metric_key_prefix)
        loss = float(columns["nll_sum"].sum() / columns["num_tokens"].sum())
        quality = {"perplexity": math.exp(min(loss, 700.0)), "bits_per_token": loss / math.log(2)}
        figures = {"loss": loss, **quality}
        if description == "Evaluation" and self.ood_datasets and not self.args.prediction_loss_only:
            table = {name: {"in_distribution": columns[name]} for name in self.args.score}
            for corpus, dataset in self.ood_datasets.items():
                loader = self.get_test_dataloader(self._prepared(dataset))
                anomalous, _ = self._columns(loader, f"OOD {corpus}", ignore_keys, "ood")
                for name in table:
                    table[name][corpus] = anomalous[name]
            self.ood_results = self.suite.evaluate_scores(table)
            self.ood_results.figures = quality
            figures |= self.ood_results.metrics()
        output.metrics.update({f"{metric_key_prefix}_{name}": value for name, value in figures.items()})
        return output

    def _columns(self, dataloader: Any, *args: Any) -> tuple[dict[str, np.ndarray], EvalLoopOutput]:
        """The scores of every sequence by name, and the loop's output, in which only scores are left."""
        description, ignore_keys, prefix = args
        output = Trainer.evaluation_loop(self, dataloader, description, False, ignore_keys, prefix)
        scores = output.predictions.astype(np.float64)
        names = [*self.args.score, *_FURTHER]
        kept = output._replace(predictions=output.predictions[:, : len(self.args.score)])
        return {name: scores[:, column] for column, name in enumerate(names)}, kept


def token_frequencies(dataset: Any, vocab_size: int) -> np.ndarray:
    """Share of each token among the `input_ids` of a map-style dataset, padding left out; float64 `(vocab_size,)`."""
    counts = np.zeros(vocab_size)
    for row in dataset:
        input_ids = np.asarray(row["input_ids"])
        attended = np.asarray(row.get("attention_mask", np.ones_like(input_ids))).astype(bool)
        counts += np.bincount(input_ids[attended], minlength=vocab_size)
    return counts / counts.sum()
