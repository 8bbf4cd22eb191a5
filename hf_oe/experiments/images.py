"""The paper's image experiments end to end: baseline, Outlier Exposure, and the table of before and after."""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from transformers import AutoModelForImageClassification, PreTrainedModel

from ..arguments import OETrainingArguments, own_weight
from ..data.image_sets import load_image_sets
from ..methods import method_of
from ..models import SmallImageProcessor, create_classifier
from ..protocols.images import ImageProtocol
from ..protocols.published import PUBLISHED
from ..report import run_settings
from .context import ContextArguments, near_and_far
from .stages import (
    Experiment,
    ExperimentArguments,
    baseline_and_exposure,
    check_output_dir,
    parse_with_config,
    run_stages,
)


@dataclass
class ImageExperimentArguments(ContextArguments, ExperimentArguments):
    """What an image recipe takes besides `OETrainingArguments`."""

    protocol: Literal["paper", "iclr"] = field(
        default="paper", metadata={"help": "Version of the paper: the first (2018) or the published one (2019)."}
    )
    exclude: str | None = field(
        default=None, metadata={"help": "Boolean column of the outlier sets; rows where it is true are left out."}
    )
    outlier_shares: list[float] | None = field(
        default=None,
        metadata={
            "help": "How much of each set of --outliers is drawn, such as 0.9 0.1 (default: as much as there is, "
            "or equal shares if one is streamed)."
        },
    )
    outlier_crop: Literal["auto", "random", "center"] = field(
        default="auto",
        metadata={
            "help": "Cut outliers at random place and scale anew at each draw, or resize them once and crop the "
            "centre; auto: random for pictures at least twice the input size."
        },
    )


def parse_arguments(
    protocol: ImageProtocol,
    argv: list[str] | None = None,
    arguments_class: type[ImageExperimentArguments] = ImageExperimentArguments,
) -> tuple[ImageExperimentArguments, OETrainingArguments]:
    """Command-line arguments, optionally after a YAML or JSON file of them; the protocol gives the defaults."""
    description = f"Outlier Exposure on {protocol.name}: baseline, OE, and the table of both."
    return parse_with_config(
        arguments_class, description, _training_defaults(protocol), argv, partial(_defaults_by_length, protocol)
    )


def _defaults_by_length(protocol: ImageProtocol, given: argparse.Namespace) -> dict[str, Any]:
    """The paper's settings for a run of the paper's length, and what makes up for missing epochs in a shorter one."""
    missing = _missing(protocol.oe_epochs, given.oe_epochs or given.num_train_epochs)
    defaults = {
        "architecture": protocol.architecture[given.protocol],
        "baseline_epochs": protocol.baseline_epochs,
        "baseline_learning_rate": protocol.baseline_learning_rate,
        "learning_rate": _exposure_learning_rate(protocol, given, missing),
        "per_device_train_batch_size": protocol.batch_size,
    }
    if given.protocol == "iclr":
        defaults["outlier_batch_size"] = protocol.outlier_batch_size
    if given.mode == "finetune":
        defaults |= _short_exposure(protocol, given, missing)
    return defaults


def _missing(planned: float, epochs: float | None) -> float:
    """How many times longer the paper trains; 1 for a run of its length and longer ones."""
    return 1.0 if epochs is None else max(1.0, planned / max(epochs, 0.01))


def _exposure_learning_rate(protocol: ImageProtocol, given: argparse.Namespace, missing: float) -> float:
    """The paper's for a run of its length; a shorter one takes larger steps, at most those of the baseline.

    The paper's rate is for a network that its whole schedule has brought to rest. Where epochs are missing, of the
    baseline or with outliers, it grows by as much, unless the objective's method bears less.
    """
    # A baseline that is given counts as brought to rest, unless its epochs are given, too.
    missing *= _missing(protocol.baseline_epochs, given.baseline_epochs)
    largest = given.baseline_learning_rate or protocol.baseline_learning_rate
    borne = min(largest, method_of(given.objective).largest_learning_rate)
    return min(missing * protocol.oe_learning_rate, max(borne, protocol.oe_learning_rate))


def _short_exposure(protocol: ImageProtocol, given: argparse.Namespace, missing: float) -> dict[str, Any]:
    """Smaller batches, for more steps, with up to four outliers an example; each weighs what it does in the paper's.

    Not the paper's, but its validation anomalies bear it out: a `wrn_16_1` after five epochs of CIFAR-10 and one of OE
    reaches a mean FPR95 of 37 % on them, and 47 % with the paper's settings.
    """
    own = protocol.outlier_batch_size / protocol.batch_size if given.protocol == "iclr" else 1.0
    more = min(missing, 4.0 / own)
    # What diverges at larger rates bears no larger weight either: energy-bounded OE errs on 46 % of CIFAR-10 then.
    bears_more = method_of(given.objective).largest_learning_rate == math.inf
    if more == 1.0 or given.outlier_batch_size is not None or not bears_more:
        return {}
    batch_size = given.per_device_train_batch_size or protocol.batch_size // 2
    return {
        "per_device_train_batch_size": batch_size,
        "outlier_batch_size": round(more * own * batch_size),
        "outlier_weight": more * own_weight(given.objective),
    }


def _training_defaults(protocol: ImageProtocol) -> dict[str, Any]:
    """The paper's settings."""
    return {
        "output_dir": f"runs/{protocol.name}_oe",
        "num_train_epochs": protocol.oe_epochs,
        # Known only when the length of the run is.
        "per_device_train_batch_size": None,
        "per_device_eval_batch_size": 256,
        "optim": "sgd",
        "optim_args": "momentum=0.9,nesterov=true",
        "weight_decay": protocol.weight_decay,
        "decay_all_parameters": True,
        "max_grad_norm": 0.0,
        "lr_scheduler_type": "cosine_with_min_lr",
        "lr_scheduler_kwargs": '{"min_lr": 1e-6}',
        "recall_level": list(protocol.recall_level),
    }


def run_image_experiment(
    protocol: ImageProtocol, args: ImageExperimentArguments, training_args: OETrainingArguments
) -> dict[str, Any]:
    """Trains both stages, evaluates both, and writes model, card, plots and `ood_results.json` into `output_dir`.

    Returns:
        What `ood_results.json` holds: all figures are fractions of 1.
    """
    check_output_dir(training_args)
    experiment = image_experiment(protocol, args, training_args)
    return run_stages(experiment, baseline_and_exposure(args, training_args), training_args)


def image_experiment(
    protocol: ImageProtocol, args: ImageExperimentArguments, training_args: OETrainingArguments
) -> Experiment:
    """The protocol's data and network, as `run_stages` takes them."""
    outliers = args.outliers or protocol.outliers
    with training_args.main_process_first():
        images = load_image_sets(
            protocol,
            outliers=outliers,
            ood_corpora=args.ood_corpora or protocol.corpora,
            data_dir=args.data_dir,
            exclude=args.exclude,
            outlier_crop=args.outlier_crop,
            hold_out=args.hold_out,
            remove_copies=args.decontaminate,
            outlier_shares=args.outlier_shares,
            max_unreadable=training_args.max_unreadable_outliers,
        )
    return Experiment(
        name=protocol.name,
        task="image-classification",
        train=images.train,
        plain_train=images.plain_train,
        test=images.test,
        held_out=images.held_out,
        outliers=images.outliers,
        outlier_names=outliers,
        ood=images.ood,
        left_out=images.left_out,
        decontamination=images.decontamination,
        groups=near_and_far(args.near, [*images.ood, *images.left_out], protocol.groups),
        context_scores=args.context_scores,
        new_model=lambda: _in_fast_layout(_new_model(protocol, args.architecture, images.label_names)),
        load_model=lambda path: _in_fast_layout(AutoModelForImageClassification.from_pretrained(path)),
        published=PUBLISHED.get((protocol.name, args.protocol, args.mode)),
        readable=lambda row: _picture(row["pixel_values"], protocol),
        settings=run_settings(args, training_args),
        trainer_settings={"processing_class": _image_processor(protocol)},
    )


def _picture(pixel_values: torch.Tensor, protocol: ImageProtocol) -> np.ndarray:
    """Normalisation undone: floats that are in [0, 1] where the picture was one."""
    mean, std = (np.reshape(values, (-1, 1, 1)) for values in (protocol.mean, protocol.std))
    return np.asarray(pixel_values) * std + mean


def _image_processor(protocol: ImageProtocol) -> SmallImageProcessor:
    """What makes inputs of pictures as the training does; it is saved beside the model."""
    return SmallImageProcessor(protocol.image_size, protocol.num_channels, protocol.mean, protocol.std)


def _in_fast_layout(model: PreTrainedModel) -> PreTrainedModel:
    """Convolutions are faster in this layout, on CPUs as on GPUs."""
    return model.to(memory_format=torch.channels_last)


def _new_model(protocol: ImageProtocol, name: str, label_names: list[str] | None) -> PreTrainedModel:
    """The named network in the protocol's form; a saved one keeps its own."""
    settings: dict[str, Any] = {"num_channels": protocol.num_channels}
    if label_names:
        settings["id2label"] = dict(enumerate(label_names))
    return create_classifier(name, protocol.num_labels, **settings)
