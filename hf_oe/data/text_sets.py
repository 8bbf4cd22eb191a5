"""Collects the text sets of an experiment: training, outliers, test, and every anomaly corpus that can be reached."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import datasets
import numpy as np
from torch.utils.data import Dataset
from transformers import PreTrainedTokenizerBase

from ..protocols.texts import TextProtocol
from .corpora import is_read_as_it_comes, load_source
from .decontaminate import DecontaminationReport, decontaminate_text
from .reachable import load_reachable
from .text import lowercased, sentence_dataset, tokenised

logger = logging.getLogger(__name__)


@dataclass
class TextSets:
    """Token ids as the classifier takes them, not yet padded.

    Attributes:
        train, test: labelled in-distribution sets.
        held_out: training examples that are not trained on; `None` if none were asked.
        outliers: sentences of all outlier sets.
        ood: test anomalies by name.
        left_out: anomaly corpora that could not be reached.
        label_names: of the classes.
        tokenizer: that made the token ids.
        decontamination: by outlier set, what was removed from it; empty where that was not asked for.
    """

    train: Dataset
    test: Dataset
    held_out: Dataset | None
    outliers: Dataset
    ood: dict[str, Dataset]
    left_out: list[str]
    label_names: list[str]
    tokenizer: PreTrainedTokenizerBase
    decontamination: dict[str, DecontaminationReport] = field(default_factory=dict)


def load_text_sets(
    protocol: TextProtocol,
    make_tokenizer: Callable[[Sequence[str]], PreTrainedTokenizerBase],
    outliers: Sequence[str],
    ood_corpora: Sequence[str],
    data_dir: str | None = None,
    hold_out: int | None = None,
    remove_copies: bool = False,
    lowercase_others: bool = False,
    seed: int = 0,
) -> TextSets:
    """Loads and tokenises everything; a test corpus out of reach is left out with a warning.

    Args:
        make_tokenizer: from the training texts to the tokenizer.
        outliers: sources as `load_source` takes them, of which the clean sentences are kept; a streamed one alone.
        ood_corpora: sources as `load_source` takes them, whole texts.
        hold_out: number of training examples to set aside, by default none.
        remove_copies: whether outliers that are copies of in-distribution or test examples are dropped.
        lowercase_others: whether outliers and test anomalies alone are turned into lower case.

    Raises:
        CorpusNotFoundError: the in-distribution set, an outlier set or all test corpora are out of reach.
        ValueError: the in-distribution set has no labels, or its test split has others than its training split.
    """
    train, label_names = _labelled(load_source(protocol.name, protocol.train_split, data_dir), protocol)
    test, _ = _labelled(load_source(protocol.name, protocol.test_split, data_dir), protocol, label_names)
    held_out = None
    if hold_out:
        if not 0 < hold_out < len(train):
            raise ValueError(f"`hold_out` must be less than the {len(train)} training examples, got {hold_out}.")
        parts = train.train_test_split(test_size=hold_out, seed=seed)
        train, held_out = parts["train"], parts["test"]
    others: dict[str, datasets.Dataset] = {f"{protocol.name} {protocol.test_split}": test}

    def anomalies(source: str, name: str) -> datasets.Dataset:
        others[name] = _texts(load_source(source, "test", data_dir), protocol.text_column.get(name, "text"))
        return others[name]

    ood, left_out = load_reachable(ood_corpora, anomalies)
    sentences = {source: _sentences(source, data_dir) for source in outliers}
    reports = {}
    if remove_copies:
        for source, dataset in sentences.items():
            sentences[source], reports[source] = decontaminate_text(dataset, train, others)
    tokenizer = make_tokenizer(train["text"][:])
    if lowercase_others:
        sentences, ood = ({name: lowercased(it) for name, it in sets.items()} for sets in (sentences, ood))
    return TextSets(
        train=_classified(train, tokenizer),
        test=_classified(test, tokenizer),
        held_out=_classified(held_out, tokenizer) if held_out else None,
        outliers=tokenised(_joined(sentences), tokenizer),
        ood={name: _by_length(tokenised(dataset, tokenizer)) for name, dataset in ood.items()},
        left_out=left_out,
        label_names=label_names,
        tokenizer=tokenizer,
        decontamination=reports,
    )


def _labelled(
    dataset: datasets.Dataset, protocol: TextProtocol, label_names: list[str] | None = None
) -> tuple[datasets.Dataset, list[str]]:
    """The dataset with `text` and `labels`, indices of the class names, which are the dataset's own by default."""
    columns = [column for column in protocol.label_columns if column in dataset.column_names]
    if not columns:
        raise ValueError(
            f"The in-distribution set {protocol.name!r} has no column {protocol.label_columns[0]!r}; its columns are "
            f"{', '.join(dataset.column_names)}: name the one with the classes in --label_columns."
        )
    if len(columns) < len(protocol.label_columns):
        logger.warning("%s has only the label columns %s here.", protocol.name, ", ".join(columns))
    keys = list(zip(*(dataset[column][:] for column in columns), strict=True))
    if protocol.class_of:
        kept = [row for row, key in enumerate(keys) if key[0] in protocol.class_of]
        dataset, keys = dataset.select(kept), [(protocol.class_of[keys[row][0]],) for row in kept]
    names = {key: _class_name(key, columns, dataset) for key in sorted(set(keys))}
    known = label_names or list(names.values())
    unknown = [name for name in names.values() if name not in known]
    if unknown:
        raise ValueError(f"{protocol.name!r} has test examples of the class {unknown[0]!r}, but no training examples.")
    index = {name: number for number, name in enumerate(known)}
    labels = [index[names[key]] for key in keys]
    return _texts(dataset, "text").add_column("labels", labels), known


def _class_name(key: tuple, columns: Sequence[str], dataset: datasets.Dataset) -> str:
    features = [dataset.features[column] for column in columns]
    return ":".join(
        feature.int2str(value) if isinstance(feature, datasets.ClassLabel) and isinstance(value, int) else str(value)
        for feature, value in zip(features, key, strict=True)
    )


def _texts(dataset: datasets.Dataset, column: str) -> datasets.Dataset:
    """Only the texts, in a column `text`, from `column` where the dataset has it."""
    if column not in dataset.column_names:
        column = "text"
    dataset = dataset.select_columns(column)
    return dataset if column == "text" else dataset.rename_column(column, "text")


def _sentences(source: str, data_dir: str | None) -> Any:
    streamed = is_read_as_it_comes(source, data_dir)
    return sentence_dataset(load_source(source, "train", data_dir, streaming=streamed))


def _joined(parts: dict[str, Any]) -> Any:
    if len(parts) == 1:
        return next(iter(parts.values()))
    return datasets.concatenate_datasets(list(parts.values()))


def _classified(dataset: datasets.Dataset, tokenizer: PreTrainedTokenizerBase) -> datasets.Dataset:
    return tokenised(dataset.select_columns("text"), tokenizer).add_column("labels", dataset["labels"][:])


def _by_length(dataset: datasets.Dataset) -> datasets.Dataset:
    """Sorted, so that batches hold little padding."""
    lengths = [len(tokens) for tokens in dataset["input_ids"]]
    return dataset.select(np.argsort(lengths, kind="stable"))
