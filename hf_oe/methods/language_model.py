"""Outlier Exposure of causal language models (section 4.3 of Hendrycks, Mazeika and Dietterich 2018).

On in-distribution sequences the model predicts the next token; on those of outliers it must be unsure of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ..next_token import chunks, following, predicts
from ..objectives import OBJECTIVES
from .method import METHODS, Method

METHODS["token_uniform"] = Method(score="kl_uniform")
METHODS["unigram"] = Method(score="kl_uniform")

_IGNORED = -100


class NextTokenLoss(torch.autograd.Function):
    """Weighted sums of two cross entropies: to the next tokens, and to one distribution over the vocabulary.

    Loss and gradient are computed a chunk of rows at a time, so that besides the logits only their gradient is held.

    Takes
        logits: `(rows, vocabulary)`;
        targets: int64 `(rows,)`, valid where `examples` is not 0;
        examples, outliers: float32 `(rows,)`, the weight of a row in either sum;
        distribution: float32 `(vocabulary,)` that outliers are pulled to, or `None` for the uniform one.
    """

    @staticmethod
    def forward(
        ctx: Any, logits: Tensor, targets: Tensor, examples: Tensor, outliers: Tensor, distribution: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(logits, targets, examples, outliers, distribution)
        to_targets, to_distribution = examples.new_zeros(()), examples.new_zeros(())
        for chunk in chunks(*logits.shape):
            log_p = logits[chunk].float().log_softmax(dim=-1)
            at_target = log_p.gather(1, targets[chunk, None]).squeeze(1)
            expected = log_p.mean(dim=-1) if distribution is None else (log_p * distribution).sum(dim=-1)
            to_targets -= (examples[chunk] * at_target).sum()
            to_distribution -= (outliers[chunk] * expected).sum()
        return to_targets, to_distribution

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, for_targets: Tensor, for_distribution: Tensor) -> tuple[Tensor | None, ...]:
        logits, targets, examples, outliers, distribution = ctx.saved_tensors
        examples, outliers = examples * for_targets, outliers * for_distribution
        gradient = torch.empty_like(logits)
        for chunk in chunks(*logits.shape):
            part = logits[chunk].softmax(dim=-1, dtype=torch.float32)
            part *= (examples[chunk] + outliers[chunk])[:, None]
            if distribution is None:
                part -= outliers[chunk, None] / logits.shape[1]
            else:
                part -= outliers[chunk, None] * distribution
            part.scatter_add_(1, targets[chunk, None], -examples[chunk, None])
            gradient[chunk] = part
        return gradient, None, None, None, None


def _special_tokens(model: Any) -> list[int]:
    """Ids of the tokens that begin, end and fill up sequences, by the model's config."""
    config = model.config
    named = (getattr(config, f"{kind}_token_id", None) for kind in ("bos", "eos", "pad"))
    return sorted({token for ids in named if ids is not None for token in ([ids] if isinstance(ids, int) else ids)})


def _loss(
    outputs: Mapping[str, Tensor],
    labels: Tensor,
    is_outlier: Tensor,
    weight: float,
    inputs: Mapping[str, Tensor],
    model: Any,
    distribution: Tensor | None,
) -> dict[str, Tensor]:
    logits, input_ids = outputs["logits"], inputs["input_ids"]
    predicting = predicts(input_ids, inputs.get("attention_mask"))
    next_tokens, next_labels = following(input_ids), following(labels, _IGNORED)
    examples = predicting & (next_labels != _IGNORED) & ~is_outlier[:, None]
    outliers = predicting & is_outlier[:, None]
    if special := _special_tokens(model):
        outliers &= ~torch.isin(next_tokens, next_tokens.new_tensor(special))
    rows = logits.flatten(0, 1)
    to_targets, to_distribution = NextTokenLoss.apply(
        rows,
        torch.where(examples, next_labels, 0).flatten(),
        _mean_weights(examples),
        _mean_weights(outliers),
        None if distribution is None else distribution.to(rows.device, torch.float32),
    )
    parts = {"in_distribution": to_targets, "outlier": weight * to_distribution}
    if outputs.get("penalty") is not None:
        parts["penalty"] = outputs["penalty"]
    return parts


def _mean_weights(counted: Tensor) -> Tensor:
    """Weights that turn a sum over rows into the mean over the counted ones, 0 where there are none."""
    return (counted / counted.sum().clamp(min=1)).flatten().float()


@OBJECTIVES.register("token_uniform")
def token_uniform(
    outputs: Mapping[str, Tensor],
    labels: Tensor,
    is_outlier: Tensor,
    *,
    weight: float = 0.5,
    inputs: Mapping[str, Tensor],
    model: Any,
) -> dict[str, Tensor]:
    """Cross entropy to the next token, and cross entropy from the uniform distribution on outliers' tokens.

    `E_in[-log p(next)] + weight * E_out[KL[U || p]]` up to the constant log(vocabulary), in nats: means over the
    tokens of either half. Padding is left out of both, tokens that begin, end or fill up a sequence out of the second.
    What the model calls its `penalty` is added. `logits` are `(batch, length, vocabulary)`, `labels`
    `(batch, length)`: the input tokens, shifted in here, or -100.
    """
    return _loss(outputs, labels, is_outlier, weight, inputs, model, None)


@OBJECTIVES.register("unigram")
def unigram(
    outputs: Mapping[str, Tensor],
    labels: Tensor,
    is_outlier: Tensor,
    *,
    weight: float = 0.5,
    inputs: Mapping[str, Tensor],
    model: Any,
) -> dict[str, Tensor]:
    """As `token_uniform`, with the in-distribution frequencies of the tokens in place of the uniform distribution.

    The second objective of the Outlier Exposure authors' code. The frequencies `(vocabulary,)` are the model's buffer
    `unigram_frequencies`, which `OELanguageModelTrainer` fills from its training set.
    """
    frequencies = getattr(model, "unigram_frequencies", None)
    if frequencies is None:
        raise ValueError(
            "The objective 'unigram' needs the frequencies of tokens in the model's buffer `unigram_frequencies`: "
            "train with OELanguageModelTrainer, which counts them."
        )
    return _loss(outputs, labels, is_outlier, weight, inputs, model, frequencies)
