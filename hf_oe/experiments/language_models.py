"""Experiments with language models end to end: baseline, Outlier Exposure, table, card and flagged passages."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from transformers import (
    CONFIG_MAPPING,
    AutoConfig,
    AutoModelForCausalLM,
    PreTrainedModel,
    TrainerCallback,
    default_data_collator,
)

from .. import models  # noqa: F401  (registers this library's architectures)
from ..arguments import OETrainingArguments
from ..averaging import NonMonotonicAveraging
from ..data.language_sets import LanguageSets, load_language_sets
from ..language_trainer import OELanguageModelTrainer
from ..passages import write_flagged_passages
from ..protocols.language_models import LanguageProtocol
from ..protocols.published import PUBLISHED
from ..report import run_settings
from .stages import (
    Experiment,
    ExperimentArguments,
    baseline_and_exposure,
    check_output_dir,
    parse_with_config,
    run_stages,
)


@dataclass
class LanguageExperimentArguments(ExperimentArguments):
    """What a recipe for language models takes besides `OETrainingArguments`."""

    in_distribution: str | None = field(
        default=None,
        metadata={"help": "In-distribution text: a corpus name, .txt or parquet file, folder or Hub dataset."},
    )
    tokenizer: str | None = field(
        default=None,
        metadata={
            "help": "'words' or 'characters' of the in-distribution text, or the folder or Hub id of a saved one "
            "(default: the paper's, or the model's)."
        },
    )
    config_overrides: str | None = field(
        default=None,
        metadata={
            "help": "Settings of a model that is trained from scratch, such as hidden_size=200,num_layers=1 "
            "(default: the paper's)."
        },
    )
    sequence_length: int | None = field(
        default=None, metadata={"help": "Tokens that a sequence predicts (paper: 70 words, 150 characters)."}
    )
    averaging_patience: int | None = field(
        default=None,
        metadata={
            "help": "Epochs without a lower validation loss after which weights are averaged until the end, for SGD; "
            "0 for no averaging (default: 5 for the paper's models, as in Merity et al. 2017)."
        },
    )


def parse_arguments(
    protocol: LanguageProtocol, argv: list[str] | None = None
) -> tuple[LanguageExperimentArguments, OETrainingArguments]:
    """Command-line arguments, optionally after a YAML or JSON file of them; the protocol gives the defaults."""
    defaults = {
        "output_dir": f"runs/{protocol.in_distribution or 'causal_lm'}_oe",
        "in_distribution": protocol.in_distribution,
        "architecture": protocol.architecture,
        "sequence_length": protocol.sequence_length,
        "baseline_epochs": protocol.baseline_epochs,
        "baseline_learning_rate": protocol.baseline_learning_rate,
        "objective": "token_uniform",
        "score": ["kl_uniform", "token_nll"],
        "recall_level": [0.9],
        "num_train_epochs": protocol.oe_epochs,
        "learning_rate": protocol.oe_learning_rate,
        "per_device_train_batch_size": protocol.batch_size,
        "per_device_eval_batch_size": 64,
        **protocol.optimiser,
    }
    description = "Outlier Exposure of a language model: baseline, OE, and the table of both."
    args, training_args = parse_with_config(LanguageExperimentArguments, description, defaults, argv)
    if not args.in_distribution:
        raise ValueError(
            "`in_distribution` is missing: name your text with --in_distribution, a .txt file for example."
        )
    if args.averaging_patience is None:
        args.averaging_patience = protocol.averaging_patience if "sgd" in training_args.optim else 0
    return args, training_args


def run_language_experiment(
    protocol: LanguageProtocol, args: LanguageExperimentArguments, training_args: OETrainingArguments
) -> dict[str, Any]:
    """Trains both stages, evaluates both, and writes into `output_dir` the model with its tokenizer, card, plots,
    `ood_results.json`, and `flagged_passages.html`, in which anomalous tokens are marked.

    Returns:
        What `ood_results.json` holds: all figures are fractions of 1, apart from perplexity and bits a token.
    """
    check_output_dir(training_args)
    outliers = args.outliers or protocol.outliers
    with training_args.main_process_first():
        sets = load_language_sets(
            args.in_distribution,
            outliers,
            args.ood_corpora or protocol.corpora,
            tokenizer=args.tokenizer or protocol.tokenizer or _saved(args) or "words",
            sequence_length=args.sequence_length,
            data_dir=args.data_dir,
            penn_treebank_text=protocol.penn_treebank_text,
            remove_copies=args.decontaminate,
        )
    experiment = Experiment(
        name=Path(args.in_distribution).stem,
        task="text-generation",
        train=sets.train,
        test=sets.test,
        outliers=sets.outliers,
        outlier_names=outliers,
        ood=sets.ood,
        left_out=sets.left_out,
        decontamination=sets.decontamination,
        new_model=lambda: _new_model(protocol, args, sets),
        load_model=AutoModelForCausalLM.from_pretrained,
        published=PUBLISHED.get((args.in_distribution, "paper", args.mode)),
        readable=lambda row: sets.tokenizer.decode(row["input_ids"]),
        settings=run_settings(args, training_args),
        trainer_settings={
            "data_collator": default_data_collator,  # Sequences are of one length, so nothing is padded.
            "processing_class": sets.tokenizer,
            "callbacks": _callbacks(args, sets),
        },
    )
    stages = [replace(it, trainer=OELanguageModelTrainer) for it in baseline_and_exposure(args, training_args)]
    summary = run_stages(experiment, stages, training_args)
    if training_args.process_index == 0:
        path = Path(training_args.output_dir, "flagged_passages.html")
        model = experiment.load_model(training_args.output_dir).to(training_args.device)
        write_flagged_passages(path, model, sets.tokenizer, sets.test, sets.ood, training_args.score[0])
        print(f"Flagged passages are in {path}.")
    return summary


def _callbacks(args: LanguageExperimentArguments, sets: LanguageSets) -> list[TrainerCallback]:
    if not args.averaging_patience:
        return []
    if sets.valid is None:
        raise ValueError(
            f"`averaging_patience` needs a validation set, but {args.in_distribution!r} has no split 'valid': add "
            "one, or set it to 0."
        )
    return [NonMonotonicAveraging(sets.valid, args.averaging_patience)]


def _saved(args: LanguageExperimentArguments) -> str | None:
    """The folder or Hub id that the model, and so its tokenizer, comes from; `None` if it is to be made anew."""
    if args.baseline:
        return args.baseline
    return None if args.architecture in CONFIG_MAPPING else args.architecture


def _new_model(protocol: LanguageProtocol, args: LanguageExperimentArguments, sets: LanguageSets) -> PreTrainedModel:
    """A model of the named type, freshly initialised for the tokenizer, or a saved one."""
    if args.architecture not in CONFIG_MAPPING:
        return AutoModelForCausalLM.from_pretrained(args.architecture)
    tokenizer = sets.tokenizer
    settings = dict(protocol.model_settings) if args.architecture == protocol.architecture else {}
    config = AutoConfig.for_model(
        args.architecture,
        vocab_size=len(tokenizer),
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        **settings,
    )
    if args.config_overrides:
        config.update_from_string(args.config_overrides)
    return AutoModelForCausalLM.from_config(config)
