"""Anomaly scores: from a classifier's outputs to one number an example, higher for more anomalous.

Scores that need more than logits are in `hf_oe.detectors`.

A new score is one function:

    >>> from hf_oe.scores import SCORES
    >>> @SCORES.register("second_logit")
    ... def second_logit(logits):
    ...     return logits.topk(2, dim=-1).values[:, 1]

All take `logits`, a float tensor of shape `(batch, classes)`, and return `(batch,)`. Half-precision logits are scored
in float32; float64 stays. A score that takes further outputs of the model, tensors with a row an example, names them
as keyword-only parameters: `def reject_probability(logits, *, branch_logits)`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .registry import Registry

SCORES = Registry("score")


def logits_of(outputs: Any) -> Any:
    """The logits among a model's outputs: a mapping, a tuple that begins with them, or nothing else."""
    if isinstance(outputs, Mapping):
        return outputs["logits"]
    return outputs[0] if isinstance(outputs, tuple) else outputs


def further_outputs(score: Callable[..., Tensor]) -> list[str]:
    """Names of the model's outputs that a score takes besides the logits."""
    return [name for name, it in inspect.signature(score).parameters.items() if it.kind is it.KEYWORD_ONLY]


def score_outputs(score: str, outputs: Mapping[str, Tensor]) -> Tensor:
    """Scores `(batch,)` by name from a model's outputs; raises `ValueError` if one that the score takes is missing."""
    function = SCORES[score]
    further = further_outputs(function)
    for name in further:
        if name not in outputs:
            raise ValueError(
                f"The score {score!r} takes the model's output {name!r}, but there are only {', '.join(outputs)}: "
                "evaluate a model that was trained for it, or choose another score."
            )
    return function(outputs["logits"], **{name: outputs[name] for name in further})


def as_float(logits: Tensor) -> Tensor:
    """Logits `(batch, classes)` in at least single precision; raises `ValueError` for another shape."""
    if logits.ndim != 2:
        raise ValueError(f"`logits` must have the shape (batch, classes), got {tuple(logits.shape)}.")
    return logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits


@SCORES.register("msp")
def msp(logits: Tensor) -> Tensor:
    """Minus the maximum softmax probability, in [-1, -1/classes] (Hendrycks and Gimpel 2017; section 4.2.3)."""
    return -as_float(logits).softmax(dim=-1).amax(dim=-1)


@SCORES.register("kl_uniform")
def kl_uniform(logits: Tensor) -> Tensor:
    """`-KL[U || p]` up to the constant log(classes), in nats, at most 0 (section 4.2.3 and Tables 2 and 9)."""
    logits = as_float(logits)
    return logits.mean(dim=-1) - logits.logsumexp(dim=-1)


@SCORES.register("max_logit")
def max_logit(logits: Tensor) -> Tensor:
    """Minus the largest logit (Hendrycks et al. 2019, "Scaling Out-of-Distribution Detection")."""
    return -as_float(logits).amax(dim=-1)


@SCORES.register("energy")
def energy(logits: Tensor) -> Tensor:
    """The free energy at temperature 1, `-logsumexp(logits)` (Liu et al. 2020, equation 4)."""
    return -as_float(logits).logsumexp(dim=-1)


@SCORES.register("gen")
def gen(logits: Tensor, gamma: float = 0.1, largest: int = 100) -> Tensor:
    """Generalised entropy `sum p^gamma (1 - p)^gamma` of the `largest` probabilities (Liu, Lochman and Zach 2023)."""
    top = as_float(logits).sort(dim=-1, descending=True).values
    log_p = top - top.logsumexp(dim=-1, keepdim=True)
    # 1 - p of the largest probability as the sum of the others: the difference would be 0 for sure predictions.
    log_rest = top[:, 1:].logsumexp(dim=-1, keepdim=True) - top.logsumexp(dim=-1, keepdim=True)
    log_complement = torch.cat([log_rest, torch.log1p(-log_p[:, 1:].exp())], dim=-1)
    return (gamma * (log_p + log_complement))[:, :largest].exp().sum(dim=-1)


@SCORES.register("token_nll")
def token_nll(logits: Tensor, *, next_tokens: Tensor) -> Tensor:
    """Negative log-likelihood in nats of `next_tokens`, int64 `(batch,)`, where the classes are tokens (section 4.3).

    For causal language models only: see `hf_oe.next_token`, which takes the mean over a sequence.
    """
    return F.cross_entropy(as_float(logits), next_tokens, reduction="none")


@SCORES.register("bits_per_dim")
def bits_per_dim(values: Tensor) -> Tensor:
    """What a density model says of each example, `(batch,)`: negative log-likelihood in bits a dimension (Table 5)."""
    if values.ndim != 1:
        raise ValueError(
            f"`bits_per_dim` must have the shape (batch,), got {tuple(values.shape)}: it is the score of density "
            "models, whose first output has one number an example."
        )
    return values
