"""Classifiers that say when an input is none of theirs: two tasks for transformers' `pipeline`.

Importing this module registers `ood-image-classification` and `ood-text-classification`, and `ood-text-guard` of
`hf_oe.text_guard`. The first two take any classifier, trained with outliers or not.

    >>> from hf_oe import pipeline
    >>> detector = pipeline("ood-image-classification", model="your/classifier")
    >>> detector("photograph.jpg")
    {'label': 'cat', 'score': 0.31, 'anomaly_score': -0.31, 'is_anomalous': True}
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor
from transformers import (
    AutoModelForImageClassification,
    AutoModelForSequenceClassification,
    BatchFeature,
    Pipeline,
    pipeline,
)
from transformers.pipelines import PIPELINE_REGISTRY

from . import models  # noqa: F401  (registers the networks of this library)
from .config import oe_score, oe_settings, oe_temperature
from .inputs import read_image, read_text
from .scores import SCORES, score_outputs
from .text_guard import OODTextGuardPipeline

__all__ = [
    "OODClassificationPipeline",
    "OODImageClassificationPipeline",
    "OODTextClassificationPipeline",
    "OODTextGuardPipeline",
    "pipeline",
]


class OODClassificationPipeline(Pipeline):
    """What both tasks share.

    Called with one input it returns a dictionary, with a list or a dataset one for each input:

    - `label`: the most probable class;
    - `score`: its probability at the temperature in the model's config (`hf_oe.config`);
    - `anomaly_score`: higher for more anomalous;
    - `is_anomalous`: whether that is at least the threshold; `None`, with one warning, where there is no threshold.

    Parameters, given when the pipeline is made or called:
        score: one of `hf_oe.scores.SCORES`, by default the one recorded in the model's config, else `msp`.
        threshold: by default the one that `hf_oe.fit_threshold` stored for this score.
    """

    column: str
    _load_processor = False
    _load_feature_extractor = False
    _load_video_processor = False

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._missing_threshold_told = False
        config = self.model.config
        if config.num_labels < 2 or config.problem_type in ("regression", "multi_label_classification"):
            raise ValueError(
                f"`model` must tell at least two classes apart, one for each input, got {config.num_labels} label(s) "
                f"and the problem type {config.problem_type!r}."
            )

    def _sanitize_parameters(
        self, score: str | None = None, threshold: float | None = None, timeout: float | None = None
    ) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        chosen = {} if score is None else {"score": score}
        if score is not None:
            SCORES[score]
        limit = {} if threshold is None else {"threshold": float(threshold)}
        return {} if timeout is None else {"timeout": timeout}, chosen, {**chosen, **limit}

    def data_collator(self, rows: Sequence[Any]) -> Mapping[str, Tensor]:
        """A batch of the model's inputs, from raw inputs or from rows that hold them in `column`."""
        raise NotImplementedError

    def preprocess(self, row: Any, timeout: float | None = None) -> Mapping[str, Tensor]:
        raise NotImplementedError

    def _forward(self, model_inputs: Mapping[str, Tensor], score: str | None = None) -> dict[str, Tensor]:
        outputs = self.model(**model_inputs)
        probability, index = (outputs["logits"].float() / oe_temperature(self.model)).softmax(dim=-1).max(dim=-1)
        anomaly_score = score_outputs(score or oe_score(self.model), outputs)
        return {"index": index, "probability": probability, "anomaly_score": anomaly_score}

    def postprocess(
        self, outputs: Mapping[str, Tensor], score: str | None = None, threshold: float | None = None
    ) -> dict[str, Any]:
        anomaly_score = outputs["anomaly_score"].item()
        limit = self._stored_threshold(score) if threshold is None else threshold
        return {
            "label": self.model.config.id2label[outputs["index"].item()],
            "score": outputs["probability"].item(),
            "anomaly_score": anomaly_score,
            "is_anomalous": None if limit is None else anomaly_score >= limit,
        }

    def _stored_threshold(self, score: str | None) -> float | None:
        score = score or oe_score(self.model)
        stored = oe_settings(self.model).get("threshold")
        if stored and stored["score"] == score:
            return stored["value"]
        if not self._missing_threshold_told:
            self._missing_threshold_told = True
            warnings.warn(
                f"This model has no threshold for the score {score!r}, so `is_anomalous` is None: fit one with "
                "`hf_oe.fit_threshold(pipeline, in_distribution, target_fpr=0.05)`, or give `threshold`.",
                stacklevel=2,
            )
        return None


class OODImageClassificationPipeline(OODClassificationPipeline):
    """Classifies images and flags anomalies.

    See `OODClassificationPipeline` for what it takes and returns, and `hf_oe.inputs.read_image` for what an image is.
    """

    column = "image"
    _load_image_processor = True
    _load_tokenizer = False

    def data_collator(self, rows: Sequence[Any]) -> BatchFeature:
        images = [row[self.column] if isinstance(row, Mapping) else row for row in rows]
        return self.image_processor([read_image(image) for image in images], return_tensors="pt").to(self.dtype)

    def preprocess(self, row: Any, timeout: float | None = None) -> BatchFeature:
        image = read_image(row[self.column] if isinstance(row, Mapping) else row, timeout)
        return self.image_processor(image, return_tensors="pt").to(self.dtype)


class OODTextClassificationPipeline(OODClassificationPipeline):
    """Classifies texts and flags anomalies; a text longer than the model takes is cut.

    See `OODClassificationPipeline` for what it takes and returns.
    """

    column = "text"
    _load_image_processor = False
    _load_tokenizer = True

    def data_collator(self, rows: Sequence[Any]) -> Mapping[str, Tensor]:
        texts = [read_text(row[self.column] if isinstance(row, Mapping) else row) for row in rows]
        return self.tokenizer(texts, truncation=True, padding=True, return_tensors="pt")

    def preprocess(self, row: Any) -> Mapping[str, Tensor]:
        text = read_text(row[self.column] if isinstance(row, Mapping) else row)
        return self.tokenizer(text, truncation=True, return_tensors="pt")


def _register(task: str, pipeline_class: type[Pipeline], model_class: type, kind: str) -> None:
    PIPELINE_REGISTRY.register_pipeline(task, pipeline_class=pipeline_class, pt_model=model_class, type=kind)
    # With this, `save_pretrained` would copy our code beside the model, and loading that would ask for trust.
    del pipeline_class._registered_impl


_register("ood-image-classification", OODImageClassificationPipeline, AutoModelForImageClassification, "image")
_register("ood-text-classification", OODTextClassificationPipeline, AutoModelForSequenceClassification, "text")
