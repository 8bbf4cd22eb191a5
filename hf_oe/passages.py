"""Shows which passages a language model flags as anomalous, and which of their tokens make them so."""

from __future__ import annotations

import html
import os
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch.utils.data import Dataset, default_collate
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from .files import replacing
from .next_token import token_scores

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Flagged passages</title>
<style>
body {{ font: 16px/1.6 sans-serif; max-width: 52em; margin: 2em auto; padding: 0 1em; color: #222 }}
p {{ border-left: 3px solid #ccc; padding-left: 1em }}
p.flagged {{ border-color: #c7611c }}
mark {{ color: inherit; border-radius: 2px }}
</style>
<h1>Flagged passages</h1>
<p>Score: {score}, the mean over a passage's tokens. A passage is flagged (orange bar) where it scores higher than
{quantile:.0%} of the in-distribution test passages. The more a token is shaded, the more anomalous it is: from the
median of in-distribution tokens, not shaded, to their 99th percentile.</p>
{sections}
</html>
"""


@torch.inference_mode()
def write_flagged_passages(
    path: str | os.PathLike,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    in_distribution: Dataset,
    corpora: Mapping[str, Dataset],
    score: str = "kl_uniform",
    quantile: float = 0.95,
    examined: int = 128,
    shown: int = 3,
) -> None:
    """Writes an HTML page of the most anomalous passages of each set, their tokens shaded by their own scores.

    Args:
        in_distribution, corpora: map-style sets of rows with `input_ids` of one length.
        score: any of `hf_oe.scores.SCORES`.
        quantile: of the in-distribution passages' scores, from which on a passage is flagged.
        examined: passages at the beginning of each set that are scored.
        shown: how many of them appear on the page.
    """
    model = model.eval()
    scored = {
        name: _scored(model, dataset, score, examined)
        for name, dataset in {"in-distribution": in_distribution, **corpora}.items()
    }
    _, normal = scored["in-distribution"]
    threshold = np.quantile(np.nanmean(normal, axis=1), quantile)
    low, high = np.nanquantile(normal, [0.5, 0.99])
    sections = []
    for name, (input_ids, scores) in scored.items():
        by_passage = np.nanmean(scores, axis=1)
        flagged = by_passage > threshold
        sections.append(f"<h2>{html.escape(name)}: {flagged.mean():.0%} of {len(flagged)} flagged</h2>")
        for row in np.argsort(-by_passage)[:shown]:
            shades = np.nan_to_num((scores[row] - low) / (high - low)).clip(0, 1)
            passage = _marked(tokenizer, input_ids[row], shades)
            kind = ' class="flagged"' if flagged[row] else ""
            sections.append(f"<p{kind}><b>{by_passage[row]:.2f}</b> {passage}</p>")
    page = _PAGE.format(score=html.escape(score), quantile=quantile, sections="\n".join(sections))
    with replacing(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _scored(
    model: PreTrainedModel, dataset: Dataset, score: str, examined: int, batch_size: int = 32
) -> tuple[np.ndarray, np.ndarray]:
    """Tokens and their scores `(passages, length)` of the first passages."""
    input_ids = default_collate([dataset[index]["input_ids"] for index in range(min(examined, len(dataset)))])
    scores = [
        token_scores(model, {"input_ids": batch.to(model.device)}, [score])[score].cpu()
        for batch in input_ids.split(batch_size)
    ]
    return input_ids.numpy(), torch.cat(scores).numpy()


def _marked(tokenizer: PreTrainedTokenizerBase, input_ids: Sequence[int], shades: Sequence[float]) -> str:
    """The text as HTML; each token stands as the whole text decodes it, spaces included."""
    parts, before = [], ""
    for end, shade in enumerate(shades, start=1):
        text = tokenizer.decode(input_ids[:end])
        piece = html.escape(text[len(before) :])
        parts.append(f'<mark style="background: rgb(199 97 28 / {shade:.2f})">{piece}</mark>' if piece else "")
        before = text
    return "".join(parts)
