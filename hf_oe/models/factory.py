"""From the name of an architecture, or of a saved model, to a classifier."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import timm
from transformers import (
    AutoModelForImageClassification,
    PretrainedConfig,
    PreTrainedModel,
    TimmWrapperConfig,
    TimmWrapperForImageClassification,
)

from ..registry import nearest_names
from .mnist_convnet import MnistConvNetConfig
from .wide_resnet import WIDE_RESNETS, WideResNetConfig

ARCHITECTURES: dict[str, tuple[type[PretrainedConfig], dict[str, Any]]] = {
    **{name: (WideResNetConfig, settings) for name, settings in WIDE_RESNETS.items()},
    "oe_mnist_convnet": (MnistConvNetConfig, {}),
}
"""This library's architectures by name: the configuration and its settings."""


def create_classifier(
    architecture: str,
    num_labels: int,
    *,
    num_channels: int | None = None,
    dropout: float | None = None,
    id2label: dict[int, str] | None = None,
) -> PreTrainedModel:
    """An image classifier for `num_labels` classes, by name.

    Args:
        architecture: one of `ARCHITECTURES` or any timm architecture, freshly initialised as its authors do; or the
            folder or Hub id (`user/name`) of a saved classifier, whose head is replaced if it has other classes.
        num_labels: number of classes.
        num_channels: channels of the image, by default 1 for `oe_mnist_convnet` and 3 for the others. A saved
            classifier keeps its own.
        dropout: by default the architecture's own. A saved classifier keeps its own.
        id2label: class names by index.

    Raises:
        ValueError: if there is no such architecture or folder, a timm architecture is named with the tag of pretrained
            weights, or `id2label` does not name `num_labels` classes.

    Example:
        >>> create_classifier("wrn_40_2", num_labels=10).num_parameters()
        2243546
    """
    labels = _label_settings(num_labels, id2label)
    if architecture in ARCHITECTURES:
        config_class, settings = ARCHITECTURES[architecture]
        given = {"num_channels": num_channels, "dropout": dropout}
        settings = {**settings, **{name: value for name, value in given.items() if value is not None}}
        return AutoModelForImageClassification.from_config(config_class(**settings, **labels))
    if Path(architecture).is_dir() or re.fullmatch(r"[\w-][\w.-]*/[\w.-]+", architecture):
        return AutoModelForImageClassification.from_pretrained(architecture, ignore_mismatched_sizes=True, **labels)
    if timm.is_model(architecture):
        _refuse_pretrained_tag(architecture)
        model_args = {"in_chans": 3 if num_channels is None else num_channels}
        if dropout is not None:
            model_args["drop_rate"] = dropout
        return _wrap_timm(architecture, num_labels, model_args, labels)
    raise ValueError(
        f"Unknown `architecture` {architecture!r}: {nearest_names(architecture, timm.list_models())}"
        f"Name one of {', '.join(ARCHITECTURES)}, a timm architecture, the folder of a saved model or a Hub id."
    )


def _label_settings(num_labels: int, id2label: dict[int, str] | None) -> dict[str, Any]:
    if num_labels < 1:
        raise ValueError(f"`num_labels` must be at least 1, got {num_labels}.")
    if id2label is None:
        return {"num_labels": num_labels}
    if sorted(id2label) != list(range(num_labels)):
        raise ValueError(
            f"`id2label` must name the classes 0 to {num_labels - 1} (`num_labels` is {num_labels}), "
            f"got {len(id2label)} names."
        )
    return {"id2label": id2label, "label2id": {label: index for index, label in id2label.items()}}


def _refuse_pretrained_tag(architecture: str) -> None:
    if "." in architecture:
        raise ValueError(
            f"`architecture` {architecture!r} names pretrained weights: load them from the Hub as "
            f"'timm/{architecture}', or leave out the tag for a fresh model."
        )


def _wrap_timm(
    architecture: str, num_labels: int, model_args: dict[str, Any], labels: dict[str, Any]
) -> TimmWrapperForImageClassification:
    model = TimmWrapperForImageClassification(
        TimmWrapperConfig(architecture=architecture, model_args=model_args, **labels)
    )
    # The wrapper draws every layer from N(0, 0.02); training from scratch needs the architecture's own initialisation.
    model.timm_model = timm.create_model(architecture, pretrained=False, num_classes=num_labels, **model_args)
    return model
