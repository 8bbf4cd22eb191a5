"""Says how anomalous a text is for a causal language model, whole and token by token: the task `ood-text-guard`.

Importing this module, or `hf_oe.pipelines`, registers the task with transformers' `pipeline`. It takes any causal
language model with a fast tokenizer, trained with outliers or not.

    >>> from hf_oe import pipeline
    >>> from hf_oe.threshold import threshold_at_fpr
    >>> guard = pipeline("ood-text-guard", model="your/model")
    >>> threshold = threshold_at_fpr([found["anomaly_score"] for found in guard(held_out_texts)], target_fpr=0.05)
    >>> guard("click here to WIN", threshold=threshold)
    {'anomaly_score': -9.4, 'is_anomalous': True, 'tokens': [{'text': 'click', 'start': 0, 'end': 5, 'score': -9.9} …]}
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, Pipeline
from transformers.pipelines import PIPELINE_REGISTRY

from . import models  # noqa: F401  (registers the networks of this library)
from .config import oe_score, oe_settings
from .next_token import token_scores
from .scores import SCORES

__all__ = ["OODTextGuardPipeline"]

_WINDOW = 1024


class OODTextGuardPipeline(Pipeline):
    """Scores texts by a causal language model.

    Called with one text it returns a dictionary, with a list one for each text:

    - `anomaly_score`: the mean over the text's tokens, higher for more anomalous;
    - `is_anomalous`: whether that is at least the threshold, `None` without one;
    - `tokens`: of each its `text`, its place `start` and `end` among the characters, and its `score`.

    Parameters, given when the pipeline is made or called:
        score: one of `hf_oe.scores.SCORES`, by default the one recorded in the model's config, else "kl_uniform".
        threshold: by default that of the model's config (`hf_oe.config`), if it was fitted for this score.
        window: tokens that are seen at once, by default as many as the tokenizer allows, at most 1024. Longer texts
            are read window by window, each from a state of its own: give what the model was trained with.

    Raises `ValueError` for a text without tokens.
    """

    _load_processor = False
    _load_image_processor = False
    _load_feature_extractor = False
    _load_video_processor = False
    _load_tokenizer = True

    def _sanitize_parameters(
        self, score: str | None = None, threshold: float | None = None, window: int | None = None
    ) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        if score is not None:
            SCORES[score]
        if window is not None and window < 1:
            raise ValueError(f"`window` must be at least 1 token, got {window}.")
        chosen = {} if score is None else {"score": score}
        limit = {} if threshold is None else {"threshold": threshold}
        return {} if window is None else {"window": window}, chosen, {**chosen, **limit}

    def preprocess(self, text: str, window: int | None = None) -> dict[str, Any]:
        encoded = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        tokens, places = encoded["input_ids"], encoded["offset_mapping"]
        beginning = self._beginning()
        if len(tokens) + len(beginning) < 2:
            raise ValueError(
                f"The text {text!r} has too few tokens to be scored: give at least one, or two to a model "
                "without a token that begins or ends texts."
            )
        window = window or min(self.tokenizer.model_max_length - 1, _WINDOW)
        stream = [*beginning, *tokens]
        rows = [stream[start : start + window + 1] for start in range(0, len(stream) - 1, window)]
        width = len(rows[0])
        return {
            "input_ids": torch.tensor([row + [row[0]] * (width - len(row)) for row in rows]),
            "attention_mask": torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows]),
            "text": text,
            "places": places[len(places) - len(stream) + 1 :],
        }

    def _beginning(self) -> list[int]:
        """What stands before the first token, so that it is predicted, too: the token that begins or ends texts."""
        for token in (self.tokenizer.bos_token_id, self.tokenizer.eos_token_id):
            if token is not None:
                return [token]
        return []

    def _recorded_score(self) -> str:
        return oe_score(self.model) if oe_settings(self.model) else "kl_uniform"

    def _forward(self, model_inputs: dict[str, Any], score: str | None = None) -> dict[str, Any]:
        inputs = {name: model_inputs[name] for name in ("input_ids", "attention_mask")}
        name = score or self._recorded_score()
        scores = token_scores(self.model, inputs, [name])[name]
        return {"scores": scores[scores.isfinite()], "text": model_inputs["text"], "places": model_inputs["places"]}

    def postprocess(
        self, outputs: dict[str, Any], score: str | None = None, threshold: float | None = None
    ) -> dict[str, Any]:
        scores: Tensor = outputs["scores"]
        anomaly_score = scores.mean().item()
        if threshold is None:
            stored = oe_settings(self.model).get("threshold")
            threshold = stored["value"] if stored and stored["score"] == (score or self._recorded_score()) else None
        return {
            "anomaly_score": anomaly_score,
            "is_anomalous": None if threshold is None else anomaly_score >= threshold,
            "tokens": [
                {"text": outputs["text"][start:end], "start": start, "end": end, "score": value}
                for (start, end), value in zip(outputs["places"], scores.tolist(), strict=True)
            ],
        }


PIPELINE_REGISTRY.register_pipeline(
    "ood-text-guard", pipeline_class=OODTextGuardPipeline, pt_model=AutoModelForCausalLM, type="text"
)
# With this, `save_pretrained` would copy our code beside the model, and loading that would ask for trust.
del OODTextGuardPipeline._registered_impl
