"""What all experiments have in common: train stage after stage, evaluate each, and publish the comparison."""

from __future__ import annotations

import argparse
import copy
import json
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

import torch
import yaml
from accelerate.state import AcceleratorState
from accelerate.utils import release_memory
from torch.utils.data import Dataset
from transformers import HfArgumentParser, PreTrainedModel, set_seed
from transformers.integrations import unset_hf_deepspeed_config

from ..arguments import OETrainingArguments
from ..callbacks import SaveOnSignal
from ..checkpoints import last_good_checkpoint
from ..data.decontaminate import DecontaminationReport
from ..data.probe import shortcut_probe
from ..data.rows import Readable
from ..hub import histogram, push_folder, write_csv, write_model_card
from ..protocols.published import PublishedTable
from ..report import Examples, most_and_least_anomalous, publish_run, results_table
from ..suite import OODResults, write_results
from ..trainer import OETrainer
from .context import with_context

logger = logging.getLogger(__name__)


@dataclass
class ExperimentArguments:
    """What every recipe takes besides `OETrainingArguments`."""

    architecture: str | None = field(
        default=None,
        metadata={
            "help": "A network of hf_oe.models, any timm architecture (images), or the folder or Hub id of a saved "
            "model (default: the paper's)."
        },
    )
    baseline: str | None = field(
        default=None,
        metadata={"help": "Folder or Hub id of a trained model to start from, instead of training a baseline."},
    )
    baseline_epochs: float | None = field(
        default=None,
        metadata={
            "help": "Epochs of the baseline, also if it is given, and of OE in scratch mode (default: the paper's)."
        },
    )
    baseline_learning_rate: float | None = field(
        default=None,
        metadata={"help": "Learning rate of the baseline, and of OE in scratch mode (default: the paper's)."},
    )
    oe_epochs: float | None = field(
        default=None,
        metadata={
            "help": "Epochs with outliers, counted in-distribution (default: the paper's). For fewer, the image "
            "recipes have other defaults: a larger --learning_rate, half of --per_device_train_batch_size, and up to "
            "four outliers an example, by --outlier_batch_size and --outlier_weight."
        },
    )
    mode: Literal["finetune", "scratch"] = field(
        default="finetune",
        metadata={"help": "Expose the trained baseline to outliers, or train a new network with outliers throughout."},
    )
    data_dir: str | None = field(
        default=None,
        metadata={"help": "Folder with <corpus>/<split>.parquet or original archives; looked at before the Hub."},
    )
    outliers: list[str] | None = field(
        default=None,
        metadata={
            "help": "Outlier sets: corpus names, files, folders or Hub datasets (default: the paper's). WebDataset "
            "shards are read as they come, not kept."
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
    decontaminate: bool = field(
        default=False,
        metadata={
            "help": "Remove outliers that are copies of in-distribution or test examples (images: also re-encoded, "
            "mirrored, shifted or resized; text: half of the 8-grams or more); what was removed is in the results and "
            "the model card."
        },
    )


Arguments = TypeVar("Arguments", bound=ExperimentArguments)

COMMON_DEFAULTS: dict[str, Any] = {
    "logging_steps": 0.05,
    "save_strategy": "epoch",
    "save_total_limit": 1,
    "dataloader_pin_memory": torch.cuda.is_available(),
    "report_to": "none",
}
"""Settings of the Trainer under which a long run can be resumed."""


def parse_with_config(
    arguments_class: type[Arguments],
    description: str,
    defaults: dict[str, Any],
    argv: list[str] | None = None,
    defaults_by: Callable[[argparse.Namespace], dict[str, Any]] | None = None,
) -> tuple[Arguments, OETrainingArguments]:
    """Command-line arguments, optionally after a YAML or JSON file of them; `defaults` come below both.

    Args:
        defaults_by: makes further defaults of the arguments that were given.
    """
    parser = HfArgumentParser((arguments_class, OETrainingArguments), description=description)
    parser.add_argument("config", nargs="?", help="YAML or JSON file with any of the arguments below.")
    # DeepSpeed takes the launcher's precision only if the training arguments say the same.
    launched_with = os.environ.get("ACCELERATE_MIXED_PRECISION")
    precision = {name: True for name in ("bf16", "fp16") if name == launched_with}
    parser.set_defaults(**COMMON_DEFAULTS, **precision, **defaults)
    namespace = parser.parse_args(argv)
    settings = _read_settings(namespace.config) if namespace.config else {}
    unknown = sorted(set(settings) - set(vars(namespace)))
    if unknown:
        raise ValueError(f"{namespace.config} sets {unknown[0]!r}, which is no argument here: see --help.")
    settings = _checked(parser, settings)
    parser.set_defaults(**settings)
    if defaults_by:
        parser.set_defaults(**{**defaults_by(parser.parse_args(argv)), **settings})
    namespace = parser.parse_args(argv)
    del namespace.config
    try:
        return parser.parse_dict(vars(namespace))
    except json.JSONDecodeError as error:
        raise ValueError(
            f"An argument that takes a dictionary got {error.doc!r}, which is no JSON: {error}."
        ) from error


def _read_settings(path: str) -> dict[str, Any]:
    """The arguments in a YAML or JSON file; raises `ValueError` if it holds anything else."""
    try:
        settings = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise ValueError(f"{path} is no YAML or JSON file of arguments: {' '.join(str(error).split())}.") from error
    if not isinstance(settings, dict) or not all(isinstance(name, str) for name in settings):
        raise ValueError(f"{path} is no YAML or JSON file of arguments: it must hold one `name: value` a line.")
    return settings


def _checked(parser: argparse.ArgumentParser, settings: dict[str, Any]) -> dict[str, Any]:
    """Settings of a file as the parser takes them from the command line; a wrong one ends the program in the same way.

    A setting of `null` is left to the default.
    """
    given = {name: value for name, value in settings.items() if value is not None}
    arguments: list[str] = []
    for name, value in given.items():
        if isinstance(value, list):
            arguments += [f"--{name}", *map(_as_argument, value)]
        else:
            arguments.append(f"--{name}={_as_argument(value)}")
    namespace = parser.parse_args(arguments)
    return {name: getattr(namespace, name) for name in given}


def _as_argument(value: Any) -> str:
    return json.dumps(value) if isinstance(value, (bool, dict, list)) else str(value)


@dataclass
class Experiment:
    """What is particular to one experiment: its data, its model, and what was published about it.

    Attributes:
        name: of the in-distribution set.
        task: of the model, by its name on the Hub.
        train, test, held_out: in-distribution sets; `held_out` is for the temperature, `None` for none.
        outliers: one set, of the sources `outlier_names`.
        ood: test anomalies by name; `left_out` are those that could not be reached.
        new_model: makes a network to train.
        load_model: loads a trained one from a folder or the Hub.
        plain_train: the training set as the test set is transformed, for detectors; by default `train`.
        groups: test anomalies by group, such as "near" and "far".
        context_scores: what the stage `baseline` alone is evaluated with besides the run's scores.
        published: figures to stand beside the run's.
        decontamination: by outlier set, what was removed from it.
        readable: from a row of any of the datasets to what a person sees in it, for the report's examples and the
            shortcut probe; `None` for neither.
        settings: of the run, see `hf_oe.report.run_settings`.
        trainer_settings: what every stage's trainer takes besides model, arguments and datasets: `data_collator`,
            `processing_class` …
    """

    name: str
    task: str
    train: Dataset
    test: Dataset
    outliers: Dataset
    outlier_names: Sequence[str]
    ood: dict[str, Dataset]
    new_model: Callable[[], PreTrainedModel]
    load_model: Callable[[str], PreTrainedModel]
    held_out: Dataset | None = None
    left_out: list[str] = field(default_factory=list)
    plain_train: Dataset | None = None
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    context_scores: Sequence[str] = ()
    published: PublishedTable | None = None
    decontamination: dict[str, DecontaminationReport] = field(default_factory=dict)
    readable: Readable | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    trainer_settings: dict[str, Any] = field(default_factory=dict)


@dataclass
class Stage:
    """One training run of an experiment.

    Attributes:
        name: key of its figures in the results, one of `hf_oe.report.STAGES`, and its folder.
        epochs, learning_rate: of the run.
        outliers: whether it trains on the experiment's outliers.
        starts_from: name of an earlier stage whose model it fine-tunes; a new model by default.
        given: folder or Hub id of a trained model that takes the place of the run.
        trainer: makes the trainer from what `OETrainer` takes.
    """

    name: str
    epochs: float
    learning_rate: float
    outliers: bool = False
    starts_from: str | None = None
    given: str | None = None
    trainer: Callable[..., OETrainer] = OETrainer


def baseline_and_exposure(args: ExperimentArguments, training_args: OETrainingArguments) -> list[Stage]:
    """The paper's two stages: the baseline, and Outlier Exposure of it or from scratch."""
    baseline = Stage("baseline", args.baseline_epochs, args.baseline_learning_rate, given=args.baseline)
    if args.mode == "scratch":
        return [baseline, Stage("oe", args.oe_epochs or baseline.epochs, baseline.learning_rate, outliers=True)]
    epochs = args.oe_epochs or training_args.num_train_epochs
    return [baseline, Stage("oe", epochs, training_args.learning_rate, outliers=True, starts_from="baseline")]


def check_output_dir(training_args: OETrainingArguments) -> None:
    """Raises `ValueError` if the folder holds another run that this one is not to go on with."""
    output_dir = Path(training_args.output_dir)
    if any(output_dir.glob("*/checkpoint-*")) and not training_args.resume_from_checkpoint:
        raise ValueError(
            f"`output_dir` {str(output_dir)!r} holds an earlier run: add --resume_from_checkpoint true to go on with "
            "it, or name another folder."
        )


def run_stages(experiment: Experiment, stages: Sequence[Stage], training_args: OETrainingArguments) -> dict[str, Any]:
    """Trains and evaluates every stage, and writes model, card, plots and `ood_results.json` into `output_dir`.

    Stages that an earlier run into the same folder finished are taken up, not repeated.

    Returns:
        What `ood_results.json` holds: all figures are fractions of 1.
    """
    folders = {stage.name: Path(training_args.output_dir, stage.name) for stage in stages}
    saved = {stage.name: stage.given or str(folders[stage.name]) for stage in stages}
    results: dict[str, OODResults] = {}
    trainer: OETrainer | None = None
    for stage in stages:
        (trainer,) = release_memory(trainer)  # An earlier stage's model makes room.
        # From the disk, since training may have dealt out the one in memory to several processes.
        start = saved[stage.starts_from] if stage.starts_from else None
        trainer = _trained(experiment, stage, training_args, folders[stage.name], start)
        trainer.evaluate()
        results[stage.name] = trainer.ood_results
    trainer.save_model(training_args.output_dir)
    summary = _summary(experiment, results, training_args, folders)
    if trainer.is_world_process_zero():
        output_dir = Path(training_args.output_dir)
        _publish(output_dir, experiment, trainer, summary, results)
        if training_args.push_to_hub:
            push_folder(
                output_dir,
                training_args.hub_model_id or output_dir.name,
                private=training_args.hub_private_repo,
                revision=training_args.hub_revision,
                token=training_args.hub_token,
            )
    # What is loaded from here on, by one process perhaps, is whole under DeepSpeed's ZeRO-3, too.
    unset_hf_deepspeed_config()
    return summary


def _trained(
    experiment: Experiment, stage: Stage, training_args: OETrainingArguments, folder: Path, start: str | None
) -> OETrainer:
    """The trainer of a stage after training, or with what an earlier run left in the stage's folder.

    Args:
        start: folder or Hub id of the model to fine-tune.
    """
    stage_args = _stage_arguments(stage, training_args, folder)
    finished = (folder / "train_results.json").exists()
    set_seed(stage_args.seed)
    saved = stage.given or (str(folder) if finished else start)
    model = experiment.load_model(saved) if saved else experiment.new_model()
    if stage.name == "baseline":
        stage_args.score = with_context(training_args.score, experiment.context_scores, model)
    trainer = stage.trainer(
        model=model,
        args=stage_args,
        train_dataset=experiment.train,
        outlier_dataset=experiment.outliers if stage.outliers else None,
        eval_dataset=experiment.test,
        ood_datasets=experiment.ood,
        ood_groups=experiment.groups,
        detector_dataset=experiment.plain_train,
        calibration_dataset=experiment.held_out,
        **experiment.trainer_settings,
    )
    trainer.outlier_names = experiment.outlier_names
    trainer.add_callback(SaveOnSignal())
    if not stage.given and not finished:
        checkpoint = last_good_checkpoint(folder)
        outcome = trainer.train(resume_from_checkpoint=checkpoint)
        trainer.save_model()
        trainer.save_metrics("train", outcome.metrics, combined=False)
    return trainer


def _stage_arguments(stage: Stage, training_args: OETrainingArguments, folder: Path) -> OETrainingArguments:
    """The run's, with what is the stage's own."""
    args = copy.copy(training_args)
    args.output_dir = str(folder)
    # The outcome is pushed, once, and not each stage into a repository of its own.
    args.push_to_hub = False
    args.num_train_epochs, args.learning_rate = stage.epochs, stage.learning_rate
    if args.deepspeed_plugin is not None:
        # accelerate sets DeepSpeed up once in a process, and fills in the settings of that training.
        AcceleratorState._reset_state()
        args.deepspeed_plugin = copy.deepcopy(training_args.deepspeed_plugin)
        args.deepspeed_plugin.set_deepspeed_weakref()
    return args


def _train_seconds(folder: Path) -> float:
    """What the stage's training took, 0 for a model that was given."""
    path = folder / "train_results.json"
    return json.loads(path.read_text(encoding="utf-8"))["train_runtime"] if path.exists() else 0.0


def _summary(
    experiment: Experiment, results: dict[str, OODResults], args: OETrainingArguments, folders: Mapping[str, Path]
) -> dict[str, Any]:
    """The contents of `ood_results.json`."""
    by_stage = [result.to_dict(stage) for stage, result in results.items()]
    first = next(iter(results.values()))
    return {
        "in_distribution": experiment.name,
        "recall_level": first.recall_level,
        "trials": first.trials,
        "base_rate": args.ood_base_rate,
        "calibration_base_rate": args.calibration_base_rate,
        "seed": args.seed,
        "test_error": {stage: result.test_error for stage, result in results.items()},
        "figures": {name: {stage: it.figures[name] for stage, it in results.items()} for name in first.figures},
        **{
            part: [row for stage in by_stage for row in stage[part]]
            for part in ("rows", "mean", "group_mean", "calibration")
        },
        "train_seconds": {stage: _train_seconds(folder) for stage, folder in folders.items()},
        "histogram": histogram(list(results.values())[-1]),
        "left_out": experiment.left_out,
        "decontamination": {source: asdict(report) for source, report in experiment.decontamination.items()},
        "probe": _probe(experiment),
        "published": experiment.published and asdict(experiment.published),
        "settings": experiment.settings,
    }


def _probe(experiment: Experiment) -> dict[str, Any] | None:
    if experiment.readable is None:
        return None
    try:
        return asdict(shortcut_probe(experiment.train, experiment.outliers, readable=experiment.readable))
    except ValueError as error:  # such as a handful of examples: no reason to lose a trained model
        logger.warning("The shortcut probe is left out: %s", error)
        return None


def _publish(
    output_dir: Path,
    experiment: Experiment,
    trainer: OETrainer,
    summary: dict[str, Any],
    results: dict[str, OODResults],
) -> None:
    """Prints the table and writes what a reader of the run needs beside the model."""
    table = results_table(summary, experiment.published)
    print(table)
    write_results(output_dir / "ood_results.json", summary)
    figures = publish_run(output_dir, results, _examples(experiment, results))
    write_csv(output_dir / "ood_results.csv", summary)
    name = trainer.args.hub_model_id or f"{experiment.name}-outlier-exposure"
    card = {"name": name, "table": table, "figures": figures}
    write_model_card(output_dir / "README.md", trainer.trained_model, summary, **card)
    print(f"Model, card, report.html, plots and ood_results.json are in {output_dir}.")


def _examples(experiment: Experiment, results: dict[str, OODResults]) -> dict[str, Examples]:
    """The extremes of every set by the first score of the last stage."""
    if experiment.readable is None:
        return {}
    last = list(results.values())[-1]
    scores = last.scores[last.rows[0].score]
    return {
        name: most_and_least_anomalous(dataset, scores[name], readable=experiment.readable)
        for name, dataset in {"in_distribution": experiment.test, **experiment.ood}.items()
    }
