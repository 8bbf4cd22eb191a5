"""The paper's image experiments end to end: baseline, Outlier Exposure, and the table of before and after."""

from __future__ import annotations

import copy
import json
import logging
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
import yaml
from torch.utils.data import Dataset
from transformers import AutoModelForImageClassification, HfArgumentParser, PreTrainedModel, set_seed
from transformers.trainer_utils import get_last_checkpoint

from .arguments import OETrainingArguments
from .data.image_sets import ImageSets, load_image_sets
from .hub import write_model_card
from .models import create_classifier
from .protocols import ImageProtocol
from .published import PUBLISHED
from .report import plot_histograms, plot_roc, results_table
from .suite import OODResults, write_results
from .trainer import OETrainer

logger = logging.getLogger(__name__)


@dataclass
class ImageExperimentArguments:
    """What an image recipe takes besides `OETrainingArguments`."""

    architecture: str | None = field(
        default=None,
        metadata={"help": "A network of hf_oe.models, any timm architecture, or a Hub id (default: the paper's)."},
    )
    baseline: str | None = field(
        default=None,
        metadata={"help": "Folder or Hub id of a trained classifier to start from, instead of training a baseline."},
    )
    baseline_epochs: float | None = field(
        default=None, metadata={"help": "Epochs of the baseline, and of OE in scratch mode (default: the paper's)."}
    )
    baseline_learning_rate: float | None = field(
        default=None,
        metadata={"help": "Learning rate of the baseline, and of OE in scratch mode (default: the paper's)."},
    )
    oe_epochs: float | None = field(
        default=None, metadata={"help": "Epochs with outliers (default: the paper's, counted in-distribution)."}
    )
    mode: Literal["finetune", "scratch"] = field(
        default="finetune",
        metadata={"help": "Expose the trained baseline to outliers, or train a new network with outliers throughout."},
    )
    protocol: Literal["paper", "iclr"] = field(
        default="paper", metadata={"help": "Version of the paper: the first (2018) or the published one (2019)."}
    )
    data_dir: str | None = field(
        default=None,
        metadata={"help": "Folder with <corpus>/<split>.parquet or original archives; looked at before the Hub."},
    )
    outliers: list[str] | None = field(
        default=None,
        metadata={
            "help": "Outlier sets: corpus names, parquet files, image folders or Hub datasets (default: the paper's)."
        },
    )
    ood_corpora: list[str] | None = field(
        default=None, metadata={"help": "Test anomalies, named like --outliers (default: the paper's)."}
    )
    hold_out: int | None = field(
        default=None,
        metadata={
            "help": "Training examples kept out to fit the softmax temperature, for calibration as in Table 7; 0 for "
            "none (default: the paper's number, at most a tenth of the training set)."
        },
    )
    exclude: str | None = field(
        default=None, metadata={"help": "Boolean column of the outlier sets; rows where it is true are left out."}
    )
    decontaminate: bool = field(
        default=False,
        metadata={
            "help": "Remove outliers that are copies of in-distribution or test images, also re-encoded, mirrored, "
            "shifted or resized; what was removed is in the results and the model card."
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
    protocol: ImageProtocol, argv: list[str] | None = None
) -> tuple[ImageExperimentArguments, OETrainingArguments]:
    """Command-line arguments, optionally after a YAML or JSON file of them; the protocol gives the defaults."""
    parser = HfArgumentParser(
        (ImageExperimentArguments, OETrainingArguments),
        description=f"Outlier Exposure on {protocol.name}: baseline, OE, and the table of both.",
    )
    parser.add_argument("config", nargs="?", help="YAML or JSON file with any of the arguments below.")
    parser.set_defaults(**_training_defaults(protocol))
    namespace = parser.parse_args(argv)
    if namespace.config:
        settings = yaml.safe_load(Path(namespace.config).read_text(encoding="utf-8"))
        unknown = sorted(set(settings) - set(vars(namespace)))
        if unknown:
            raise ValueError(f"{namespace.config} sets {unknown[0]!r}, which is no argument here: see --help.")
        parser.set_defaults(**settings)
        namespace = parser.parse_args(argv)
    del namespace.config
    args, training_args = parser.parse_dict(vars(namespace))
    args.architecture = args.architecture or protocol.architecture[args.protocol]
    args.baseline_epochs = protocol.baseline_epochs if args.baseline_epochs is None else args.baseline_epochs
    args.baseline_learning_rate = args.baseline_learning_rate or protocol.baseline_learning_rate
    if training_args.outlier_batch_size is None and args.protocol == "iclr":
        training_args.outlier_batch_size = protocol.outlier_batch_size
    return args, training_args


def _training_defaults(protocol: ImageProtocol) -> dict[str, Any]:
    """The paper's settings, and those of the Trainer under which a long run can be resumed."""
    return {
        "output_dir": f"runs/{protocol.name}_oe",
        "num_train_epochs": protocol.oe_epochs,
        "learning_rate": protocol.oe_learning_rate,
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
        "logging_steps": 0.05,
        "save_strategy": "epoch",
        "save_total_limit": 1,
        "dataloader_pin_memory": torch.cuda.is_available(),
        "report_to": "none",
    }


def run_image_experiment(
    protocol: ImageProtocol, args: ImageExperimentArguments, training_args: OETrainingArguments
) -> dict[str, Any]:
    """Trains both stages, evaluates both, and writes model, card, plots and `ood_results.json` into `output_dir`.

    Returns:
        What `ood_results.json` holds: all figures are fractions of 1.
    """
    output_dir = Path(training_args.output_dir)
    _check_output_dir(output_dir, training_args)
    with training_args.main_process_first():
        images = load_image_sets(
            protocol,
            outliers=args.outliers or protocol.outliers,
            ood_corpora=args.ood_corpora or protocol.corpora,
            data_dir=args.data_dir,
            exclude=args.exclude,
            outlier_crop=args.outlier_crop,
            hold_out=args.hold_out,
            remove_copies=args.decontaminate,
        )
    from_scratch = (args.baseline_epochs, args.baseline_learning_rate)
    baseline = _stage("baseline", protocol, args, training_args, images, from_scratch)
    results = {"baseline": _evaluated(baseline)}
    if args.mode == "finetune":
        schedule = (args.oe_epochs or training_args.num_train_epochs, training_args.learning_rate)
        start = baseline.accelerator.unwrap_model(baseline.model)
    else:
        schedule, start = (args.oe_epochs or args.baseline_epochs, args.baseline_learning_rate), None
    exposed = _stage("oe", protocol, args, training_args, images, schedule, start, images.outliers)
    results["oe"] = _evaluated(exposed)

    exposed.save_model(str(output_dir))
    summary = _summary(protocol, training_args, images, results, [baseline, exposed])
    if exposed.is_world_process_zero():
        _publish(output_dir, exposed, protocol, args, summary, results)
    return summary


def _check_output_dir(output_dir: Path, training_args: OETrainingArguments) -> None:
    if any(output_dir.glob("*/checkpoint-*")) and not training_args.resume_from_checkpoint:
        raise ValueError(
            f"`output_dir` {str(output_dir)!r} holds an earlier run: add --resume_from_checkpoint true to go on with "
            "it, or name another folder."
        )


def _new_model(protocol: ImageProtocol, name: str, label_names: list[str] | None) -> PreTrainedModel:
    """The named network in the protocol's form; a saved one keeps its own."""
    settings: dict[str, Any] = {"num_channels": protocol.num_channels}
    if label_names:
        settings["id2label"] = dict(enumerate(label_names))
    return create_classifier(name, protocol.num_labels, **settings)


def _stage(
    name: str,
    protocol: ImageProtocol,
    args: ImageExperimentArguments,
    training_args: OETrainingArguments,
    images: ImageSets,
    schedule: tuple[float, float],
    start: PreTrainedModel | None = None,
    outliers: Dataset | None = None,
) -> OETrainer:
    """Trains one stage into its own folder, or takes up there what an earlier run left.

    Args:
        schedule: epochs and learning rate.
        start: the model to fine-tune; a new one by default.
    """
    stage_args = copy.copy(training_args)
    stage_args.output_dir = os.path.join(training_args.output_dir, name)
    stage_args.num_train_epochs, stage_args.learning_rate = schedule
    given = args.baseline if name == "baseline" else None
    finished = os.path.exists(os.path.join(stage_args.output_dir, "train_results.json"))
    set_seed(stage_args.seed)
    if given or finished:
        model = AutoModelForImageClassification.from_pretrained(given or stage_args.output_dir)
    else:
        model = start or _new_model(protocol, args.architecture, images.label_names)
    trainer = OETrainer(
        # Convolutions are faster in this layout, on CPUs as on GPUs.
        model=model.to(memory_format=torch.channels_last),
        args=stage_args,
        train_dataset=images.train,
        outlier_dataset=outliers,
        eval_dataset=images.test,
        ood_datasets=images.ood,
        calibration_dataset=images.held_out,
    )
    if not given and not finished:
        checkpoint = get_last_checkpoint(stage_args.output_dir) if os.path.isdir(stage_args.output_dir) else None
        outcome = trainer.train(resume_from_checkpoint=checkpoint)
        trainer.save_model()
        trainer.save_metrics("train", outcome.metrics, combined=False)
    return trainer


def _evaluated(trainer: OETrainer) -> OODResults:
    trainer.evaluate()
    return trainer.ood_results


def _train_seconds(trainer: OETrainer) -> float:
    """What the stage's training took, 0 for a model that was given."""
    path = Path(trainer.args.output_dir, "train_results.json")
    return json.loads(path.read_text(encoding="utf-8"))["train_runtime"] if path.exists() else 0.0


def _summary(
    protocol: ImageProtocol,
    training_args: OETrainingArguments,
    images: ImageSets,
    results: dict[str, OODResults],
    trainers: list[OETrainer],
) -> dict[str, Any]:
    """The contents of `ood_results.json`."""
    by_stage = {stage: result.to_dict(stage) for stage, result in results.items()}
    return {
        "in_distribution": protocol.name,
        "recall_level": training_args.recall_level[0],
        "trials": training_args.ood_trials,
        "test_error": {stage: result.test_error for stage, result in results.items()},
        "rows": [row for stage in by_stage.values() for row in stage["rows"]],
        "mean": [mean for stage in by_stage.values() for mean in stage["mean"]],
        "calibration": [row for stage in by_stage.values() for row in stage["calibration"]],
        "train_seconds": {stage: _train_seconds(trainer) for stage, trainer in zip(results, trainers, strict=True)},
        "left_out": images.left_out,
        "decontamination": {source: asdict(report) for source, report in images.decontamination.items()},
    }


def _publish(
    output_dir: Path,
    trainer: OETrainer,
    protocol: ImageProtocol,
    args: ImageExperimentArguments,
    summary: dict[str, Any],
    results: dict[str, OODResults],
) -> None:
    """Prints the table and writes what a reader of the run needs beside the model."""
    published = PUBLISHED.get((protocol.name, args.protocol, args.mode))
    table = results_table(summary, published)
    print(table)
    write_results(output_dir / "ood_results.json", summary)
    score = trainer.args.score[0]
    scores = {stage: result.scores[score] for stage, result in results.items()}
    figures = {"ROC curves": "roc.png", "Score histograms": "histograms.png"}
    try:
        plot_roc(scores, output_dir / figures["ROC curves"])
        plot_histograms(scores, output_dir / figures["Score histograms"])
    except ImportError as error:
        logger.warning("The figures are left out. %s", error)
        figures = {}
    outliers = args.outliers or protocol.outliers
    write_model_card(output_dir / "README.md", summary, table, trainer.args, outliers, figures)
    print(f"Model, card, plots and ood_results.json are in {output_dir}.")
