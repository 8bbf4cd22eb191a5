"""Which tokens a causal language model predicts in a batch, and how anomalous each of them is.

Sequences may be padded on either side; `attention_mask` is 0 at padding. A token is predicted where it and the one
before it are no padding, so the first of a sequence never is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .scores import score_outputs

_CHUNK = 1 << 22
"""Logits that are turned to float32 or softmax at a time; 16 MiB of float32."""


def chunks(rows: int, classes: int) -> Iterator[slice]:
    """Slices over `rows` that hold a bounded number of logits each."""
    size = max(1, _CHUNK // classes)
    return (slice(start, min(start + size, rows)) for start in range(0, rows, size))


def predicts(input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
    """Bool `(batch, length)`: whether the logits at a position predict a token, the next one."""
    attended = torch.ones_like(input_ids, dtype=torch.bool) if attention_mask is None else attention_mask.bool()
    return F.pad(attended[:, :-1] & attended[:, 1:], (0, 1), value=False)


def following(values: Tensor, fill: int = 0) -> Tensor:
    """What comes after each position of `values` `(batch, length)`; `fill` after the last."""
    return F.pad(values[:, 1:], (0, 1), value=fill)


def right_padded(inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Moves the tokens of each sequence to its beginning, where models count their positions from.

    Args:
        inputs: `input_ids` `(batch, length)` and, if there is padding, `attention_mask`; what else has their shape,
            such as labels, is moved along.
    """
    mask = inputs.get("attention_mask")
    if mask is None:
        return dict(inputs)
    order = _tokens_first(mask)
    return {
        name: value.gather(1, order) if getattr(value, "shape", None) == mask.shape else value
        for name, value in inputs.items()
    }


def _tokens_first(mask: Tensor) -> Tensor:
    return mask.ne(0).int().argsort(dim=1, descending=True, stable=True)


@torch.no_grad()
def token_scores(
    model: nn.Module, inputs: Mapping[str, Tensor], scores: Sequence[str] = ("token_nll",)
) -> dict[str, Tensor]:
    """Anomaly scores of each token, from the logits that predict it; a sequence's score is their mean.

    Args:
        model: a causal language model, in evaluation mode.
        inputs: `input_ids` `(batch, length)`, `attention_mask` where there is padding, and what else the model takes.
        scores: names in `SCORES`, "token_nll" for the negative log-likelihood, "kl_uniform", "msp" …

    Returns:
        For each score float `(batch, length)`, higher for more anomalous; NaN where no token is predicted.

    Example:
        >>> scores = token_scores(model, tokenizer(texts, return_tensors="pt", padding=True))["token_nll"]
        >>> sequence_scores = scores.nanmean(dim=1)
    """
    moved = {name: value for name, value in right_padded(inputs).items() if name != "labels"}
    logits = model(**moved)["logits"]
    input_ids, mask = moved["input_ids"], moved.get("attention_mask")
    by_position = _scores_by_position(logits, following(input_ids), scores)
    unpredicted = ~predicts(input_ids, mask)
    found = {}
    for name, values in by_position.items():
        # The logits at a position tell of the next token, so scores move one place to the right.
        values = F.pad(values.masked_fill(unpredicted, torch.nan)[:, :-1], (1, 0), value=torch.nan)
        found[name] = values if mask is None else values.gather(1, _tokens_first(inputs["attention_mask"]).argsort(1))
    return found


def _scores_by_position(logits: Tensor, next_tokens: Tensor, scores: Sequence[str]) -> dict[str, Tensor]:
    rows, targets = logits.flatten(0, 1), next_tokens.flatten()
    parts: dict[str, list[Tensor]] = {name: [] for name in scores}
    for chunk in chunks(*rows.shape):
        part = rows[chunk].float()
        for name in scores:
            parts[name].append(score_outputs(name, {"logits": part, "next_tokens": targets[chunk]}).float())
    return {name: torch.cat(values).view(next_tokens.shape) for name, values in parts.items()}
