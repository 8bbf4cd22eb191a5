"""The published paper's text experiments end to end: baseline, Outlier Exposure, and the table of both."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from ..arguments import OETrainingArguments
from ..data.text import build_word_tokenizer
from ..data.text_sets import load_text_sets
from ..models import GRUTextConfig
from ..protocols.published import PUBLISHED
from ..protocols.texts import TextProtocol, text_protocol
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

GRU = GRUTextConfig.model_type
"""Name of the paper's text classifier."""


@dataclass
class TextExperimentArguments(ContextArguments, ExperimentArguments):
    """What the text recipe takes besides `OETrainingArguments`."""

    in_distribution: str = field(
        default="trec",
        metadata={"help": "trec, sst, newsgroups20, or any labelled text set, named like --outliers."},
    )
    label_columns: list[str] | None = field(
        default=None,
        metadata={"help": "Columns whose values together make a class (default: the paper's; label for other sets)."},
    )
    max_length: int | None = field(
        default=None, metadata={"help": "Longer texts are cut, in tokens (paper: 100 for newsgroups20; else 512)."}
    )

    authors_case: bool = field(
        default=False,
        metadata={
            "help": "As the authors' code does with SST: only outliers and anomalies are turned into lower case, so "
            "capitals give in-distribution text away. The published figures of SST measure that, too; for the GRU."
        },
    )

    def protocol(self) -> TextProtocol:
        """The experiment on the in-distribution set, with the settings that were given."""
        given = {"label_columns": self.label_columns and tuple(self.label_columns), "max_length": self.max_length}
        return replace(
            text_protocol(self.in_distribution), **{name: value for name, value in given.items() if value is not None}
        )


def parse_text_arguments(argv: list[str] | None = None) -> tuple[TextExperimentArguments, OETrainingArguments]:
    """Command-line arguments, optionally after a YAML or JSON file of them; the protocol gives the defaults."""
    description = "Outlier Exposure of a text classifier: baseline, OE, and the table of both."
    defaults = TextProtocol("")
    return parse_with_config(
        TextExperimentArguments,
        description,
        {
            "output_dir": "runs/text_oe",
            "architecture": GRU,
            "num_train_epochs": defaults.oe_epochs,
            "per_device_train_batch_size": defaults.batch_size,
            "per_device_eval_batch_size": 256,
            "outlier_weight": defaults.outlier_weight,
            "max_grad_norm": 0.0,
            "lr_scheduler_type": "cosine",
            "recall_level": list(defaults.recall_level),
        },
        argv,
        _defaults_by_classifier,
    )


def _defaults_by_classifier(given: argparse.Namespace) -> dict[str, Any]:
    protocol = text_protocol(given.in_distribution)
    usual = protocol.learning_rate if given.architecture == GRU else protocol.transformer_learning_rate
    return {"learning_rate": usual, "baseline_learning_rate": usual, "baseline_epochs": protocol.epochs}


def run_text_experiment(args: TextExperimentArguments, training_args: OETrainingArguments) -> dict[str, Any]:
    """Trains both stages, evaluates both, and writes model, card, plots and `ood_results.json` into `output_dir`.

    Returns:
        What `ood_results.json` holds: all figures are fractions of 1.
    """
    check_output_dir(training_args)
    experiment = text_experiment(args, training_args)
    return run_stages(experiment, baseline_and_exposure(args, training_args), training_args)


def text_experiment(args: TextExperimentArguments, training_args: OETrainingArguments) -> Experiment:
    """The data and the classifier, as `run_stages` takes them."""
    protocol = args.protocol()
    outliers = args.outliers or protocol.outliers
    with training_args.main_process_first():
        texts = load_text_sets(
            protocol,
            make_tokenizer=lambda training_texts: _tokenizer(protocol, args, training_texts),
            outliers=outliers,
            ood_corpora=args.ood_corpora or protocol.corpora,
            data_dir=args.data_dir,
            hold_out=args.hold_out,
            remove_copies=args.decontaminate,
            lowercase_others=args.authors_case,
        )
    # With other classes the task is another.
    is_published = len(texts.label_names) == protocol.num_labels
    return Experiment(
        name=protocol.name,
        task="text-classification",
        train=texts.train,
        test=texts.test,
        held_out=texts.held_out,
        outliers=texts.outliers,
        outlier_names=outliers,
        ood=texts.ood,
        left_out=texts.left_out,
        groups=near_and_far(args.near, [*texts.ood, *texts.left_out], {}),
        context_scores=args.context_scores,
        decontamination=texts.decontamination,
        new_model=lambda: _new_model(args.architecture, texts.tokenizer, texts.label_names),
        load_model=AutoModelForSequenceClassification.from_pretrained,
        published=PUBLISHED.get((protocol.name, "iclr", args.mode)) if is_published else None,
        readable=lambda row: texts.tokenizer.decode(row["input_ids"], skip_special_tokens=True),
        settings=run_settings(args, training_args),
        trainer_settings={
            "processing_class": texts.tokenizer,
            "data_collator": DataCollatorWithPadding(texts.tokenizer),
        },
    )


def _tokenizer(
    protocol: TextProtocol, args: TextExperimentArguments, training_texts: Sequence[str]
) -> PreTrainedTokenizerBase:
    """The classifier's own tokenizer; the GRU's is made from the training texts."""
    saved = args.baseline or (args.architecture if args.architecture != GRU else None)
    if saved is None:
        return build_word_tokenizer(
            training_texts, protocol.vocab_size, protocol.max_length, lowercase=not args.authors_case
        )
    tokenizer = AutoTokenizer.from_pretrained(saved)
    tokenizer.model_max_length = min(tokenizer.model_max_length, protocol.max_length)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def _new_model(architecture: str, tokenizer: PreTrainedTokenizerBase, label_names: list[str]) -> PreTrainedModel:
    """The paper's GRU, untrained, or a pretrained model with a new head where its classes differ."""
    settings = {
        "id2label": dict(enumerate(label_names)),
        "label2id": {name: index for index, name in enumerate(label_names)},
        "pad_token_id": tokenizer.pad_token_id,
    }
    if architecture == GRU:
        return AutoModelForSequenceClassification.from_config(GRUTextConfig(vocab_size=len(tokenizer), **settings))
    return AutoModelForSequenceClassification.from_pretrained(architecture, ignore_mismatched_sizes=True, **settings)
