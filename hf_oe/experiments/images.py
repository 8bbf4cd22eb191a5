"""The paper's image experiments end to end: baseline, Outlier Exposure, and the table of before and after."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from transformers import AutoModelForImageClassification, PreTrainedModel

from ..arguments import OETrainingArguments
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
    args, training_args = parse_with_config(arguments_class, description, _training_defaults(protocol), argv)
    args.architecture = args.architecture or protocol.architecture[args.protocol]
    args.baseline_epochs = protocol.baseline_epochs if args.baseline_epochs is None else args.baseline_epochs
    args.baseline_learning_rate = args.baseline_learning_rate or protocol.baseline_learning_rate
    if training_args.learning_rate is None:
        training_args.learning_rate = _exposure_learning_rate(protocol, args, training_args)
    if training_args.outlier_batch_size is None and args.protocol == "iclr":
        training_args.outlier_batch_size = protocol.outlier_batch_size
    return args, training_args


def _exposure_learning_rate(
    protocol: ImageProtocol, args: ImageExperimentArguments, training_args: OETrainingArguments
) -> float:
    """The paper's for a run of its length; a shorter one takes larger steps, at most those of the baseline.

    The paper's rate is for a network that its whole schedule has brought to rest. Where epochs are missing, of the
    baseline or with outliers, it grows by as much, unless the objective's method bears less.
    """
    epochs = args.oe_epochs or training_args.num_train_epochs
    missing = max(1.0, protocol.oe_epochs / max(epochs, 0.01))
    if not args.baseline:
        missing *= max(1.0, protocol.baseline_epochs / max(args.baseline_epochs, 0.01))
    borne = min(args.baseline_learning_rate, method_of(training_args.objective).largest_learning_rate)
    largest = max(borne, protocol.oe_learning_rate)
    return min(missing * protocol.oe_learning_rate, largest)


def _training_defaults(protocol: ImageProtocol) -> dict[str, Any]:
    """The paper's settings."""
    return {
        "output_dir": f"runs/{protocol.name}_oe",
        "num_train_epochs": protocol.oe_epochs,
        # Known only when the length of the run is.
        "learning_rate": None,
        "per_device_train_batch_size": protocol.batch_size,
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
