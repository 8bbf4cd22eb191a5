"""Fits detectors and applies them while somebody else, such as the Trainer's evaluation loop, runs the model."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset, Subset

from ..features import captured_features, classifier_head, features_of_logits
from ..registry import Registry
from ..scores import SCORES, logits_of
from ._base import DETECTORS, FeatureDetector

FIT_EXAMPLES = 10_000
"""Most in-distribution examples that detectors are fitted on."""


def detectors_among(scores: Sequence[str]) -> list[str]:
    """Those of the names that are detectors; raises `ValueError` for one that is neither a detector nor a score."""
    known = Registry("score")
    known.update({**SCORES, **DETECTORS})
    for name in scores:
        known[name]
    return [name for name in scores if name in DETECTORS]


def fit_sample(dataset: Dataset | None, seed: int) -> Subset:
    """At most `FIT_EXAMPLES` rows of a map-style dataset, drawn with `seed`, in the dataset's order.

    Raises `ValueError` if there is no dataset or it is a stream.
    """
    if not hasattr(dataset, "__len__"):
        raise ValueError(
            "Scores such as 'knn' are fitted on in-distribution examples: give a `detector_dataset` that has a length."
        )
    count = min(len(dataset), FIT_EXAMPLES)
    drawn = np.random.default_rng(seed).choice(len(dataset), count, replace=False)
    return Subset(dataset, np.sort(drawn).tolist())


class DetectorScoring:
    """Watches forward passes: first to fit the named detectors, then to score every example as it passes by.

    Only features to fit on and the scores are kept, so that test sets may be large.

    Args:
        names: of `DETECTORS`.

    Attributes:
        watching: whether forward passes are to be shown to `observe`.
        table: `{detector: {corpus: (examples,)}}`, the scores so far.

    Example:
        >>> scoring = DetectorScoring(["knn"])
        >>> with scoring.collecting():
        ...     logits, labels = collect_logits(scoring.watched(model, predict), train)
        >>> scoring.fit(model, logits, labels)
        >>> with scoring.scoring("textures"):
        ...     collect_logits(scoring.watched(model, predict), textures)
        >>> scoring.table["knn"]["textures"]
    """

    def __init__(self, names: Sequence[str]):
        self.detectors = {name: DETECTORS[name]() for name in names}
        self.table: dict[str, dict[str, np.ndarray]] = {name: {} for name in names}
        self.watching = False
        self._collecting = False
        self._seen: list[Tensor] = []

    def __bool__(self) -> bool:
        return bool(self.detectors)

    @contextmanager
    def collecting(self) -> Iterator[None]:
        """Within the block, forward passes give features to fit on."""
        self._collecting = True
        try:
            with self._watch():
                yield
        finally:
            self._collecting = False

    @torch.no_grad()
    def fit(self, model: nn.Module, logits: np.ndarray, labels: np.ndarray | None) -> None:
        """Fits on what was collected; `logits` `(examples, classes)` and `labels` `(examples,)` are of the same."""
        if labels is None:
            raise ValueError("Scores such as 'knn' are fitted on labelled examples: `detector_dataset` has no labels.")
        original = classifier_head(model)
        # In float32, as the features are, whatever the precision of the model.
        head = copy.deepcopy(original).float().requires_grad_(False)
        device = original.weight.device
        features = torch.cat(self._seen).to(device)
        for detector in self.detectors.values():
            if isinstance(detector, FeatureDetector):
                detector.fit(
                    features,
                    torch.as_tensor(logits, device=device).float(),
                    torch.as_tensor(labels, device=device).long(),
                    head,
                )
        self.table = {name: {} for name in self.detectors}

    @contextmanager
    def scoring(self, corpus: str) -> Iterator[None]:
        """Within the block, forward passes are of `corpus`, whose scores are in `table` afterwards."""
        with self._watch():
            yield
        if self:
            for name, column in zip(self.detectors, torch.cat(self._seen).T.numpy(), strict=True):
                self.table[name][corpus] = column

    @torch.no_grad()
    def observe(
        self,
        model: nn.Module,
        inputs: Mapping[str, Any],
        features: Tensor,
        logits: Tensor,
        gather: Callable[[Tensor], Tensor] = lambda values: values,
    ) -> None:
        """Takes note of one forward pass.

        Args:
            inputs, features, logits: of the batch, on the model's device; `features` as captured, with `positions`.
            gather: from this process's rows to those of all processes.
        """
        if len(features) != len(logits):
            raise ValueError(
                f"Features of {len(features)} of {len(logits)} examples were seen: start one process for each device, "
                "as `accelerate launch` does."
            )
        features = features_of_logits(features, logits, classifier_head(model))
        if self._collecting:
            values = features
        else:
            inputs = {key: value for key, value in inputs.items() if key != "labels"}
            scores = [
                detector(features, logits.float())
                if isinstance(detector, FeatureDetector)
                else detector(model, inputs)
                for detector in self.detectors.values()
            ]
            values = torch.stack([score.float() for score in scores], dim=-1)
        self._seen.append(gather(values).cpu())

    def watched(
        self, model: nn.Module, predict: Callable[[Mapping[str, Any]], Any]
    ) -> Callable[[Mapping[str, Any]], Any]:
        """`predict`, from a batch to the logits or outputs of `model`, with each of its forward passes observed."""

        def observed(batch: Mapping[str, Any]) -> Any:
            with captured_features(model, positions=True) as features:
                outputs = predict(batch)
            inputs = {key: value.to(features[-1].device) for key, value in batch.items()}
            self.observe(model, inputs, features[-1], logits_of(outputs))
            return outputs

        return observed

    @contextmanager
    def _watch(self) -> Iterator[None]:
        self._seen = []
        self.watching = bool(self)
        # A compiled model would be compiled anew for each hook on its head, until torch gives up compiling it.
        stance = torch.compiler.set_stance("force_eager") if self else nullcontext()
        try:
            with stance:
                yield
        finally:
            self.watching = False
