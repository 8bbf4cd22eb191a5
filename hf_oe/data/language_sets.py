"""Collects the text of an experiment with a language model, as sequences of its tokens."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import datasets
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from .corpora import CorpusNotFoundError, load_source
from .decontaminate import DecontaminationReport, decontaminate_text
from .reachable import load_reachable
from .sequences import TokenSequences, as_penn_treebank, character_tokenizer, token_stream, word_tokenizer

logger = logging.getLogger(__name__)

_DOMAIN = "domain"
"""Column that parts a source of test anomalies into several corpora."""

_TOKENIZERS: dict[str, Callable[..., PreTrainedTokenizerBase]] = {
    "words": word_tokenizer,
    "characters": character_tokenizer,
}


@dataclass
class LanguageSets:
    """Sequences as the model takes them.

    Attributes:
        train, test: in-distribution sets.
        valid: another one, `None` where the source has no such split.
        outliers: one set, however many sources were asked for.
        ood: test anomalies by name.
        left_out: sources of anomalies that could not be reached.
        tokenizer: of all of them.
        decontamination: by outlier set, what was removed from it; empty where that was not asked for.
    """

    train: TokenSequences
    valid: TokenSequences | None
    test: TokenSequences
    outliers: TokenSequences
    ood: dict[str, TokenSequences]
    left_out: list[str]
    tokenizer: PreTrainedTokenizerBase
    decontamination: dict[str, DecontaminationReport] = field(default_factory=dict)


def load_language_sets(
    in_distribution: str,
    outliers: Sequence[str],
    ood_corpora: Sequence[str],
    tokenizer: str,
    sequence_length: int,
    data_dir: str | None = None,
    penn_treebank_text: bool = False,
    remove_copies: bool = False,
) -> LanguageSets:
    """Loads and tokenises everything; a test corpus out of reach is left out with a warning.

    Args:
        in_distribution, outliers, ood_corpora: sources as `load_source` takes them. An in-distribution source without
            a test split is tested on its last tenth. Test anomalies with a column `domain` are parted by it.
        tokenizer: "words" or "characters" of the in-distribution text, or the folder or Hub id of a saved tokenizer.
        sequence_length: tokens that a sequence predicts.
        penn_treebank_text: whether outliers and anomalies are written as the Penn Treebank first.
        remove_copies: whether outliers that are copies of in-distribution or test texts are dropped.

    Raises `CorpusNotFoundError` if the in-distribution set, an outlier set or all test corpora are out of reach.
    """
    train, valid, test = _in_distribution(in_distribution, data_dir)
    corpora, left_out = load_reachable(ood_corpora, lambda source, name: _load(source, "test", data_dir))
    anomalies = _by_domain(corpora)
    outlier_sets = {source: _load(source, "train", data_dir) for source in outliers}
    others = {f"{in_distribution} test": test, **anomalies}
    reports = _without_copies(outlier_sets, train, others) if remove_copies else {}
    makes = _TOKENIZERS.get(tokenizer)
    made = makes(train) if makes else AutoTokenizer.from_pretrained(tokenizer)

    def sequences(name: str, texts: Sequence[str]) -> TokenSequences:
        try:
            return TokenSequences(token_stream(texts, made), sequence_length)
        except ValueError as error:
            raise ValueError(f"The text set {name!r} is too small. {error}") from error

    def foreign(name: str, texts: Sequence[str]) -> TokenSequences:
        return sequences(name, [as_penn_treebank(text) for text in texts] if penn_treebank_text else texts)

    outlier_texts = [text for dataset in outlier_sets.values() for text in dataset["text"]]
    return LanguageSets(
        train=sequences(in_distribution, train),
        valid=sequences(in_distribution, valid) if valid else None,
        test=sequences(in_distribution, test),
        outliers=foreign(", ".join(outliers), outlier_texts),
        ood={name: foreign(name, texts) for name, texts in anomalies.items()},
        left_out=left_out,
        tokenizer=made,
        decontamination=reports,
    )


def _load(source: str, split: str, data_dir: str | None) -> datasets.Dataset:
    dataset = load_source(source, split, data_dir)
    if "text" not in dataset.column_names:
        raise ValueError(
            f"The source {source!r} has no column 'text', only {', '.join(dataset.column_names)}: name a set of texts."
        )
    return dataset


def _texts(source: str, split: str, data_dir: str | None) -> list[str]:
    return list(_load(source, split, data_dir)["text"])


def _in_distribution(source: str, data_dir: str | None) -> tuple[list[str], list[str], list[str]]:
    """Texts to train on, to validate on (none, if the source has no such split) and to test on."""
    train, test = (_joined(_texts(source, split, data_dir)) for split in ("train", "test"))
    try:
        valid = _joined(_texts(source, "valid", data_dir))
    except CorpusNotFoundError:
        valid = []
    valid = [] if valid in (train, test) else valid
    if test == train:
        kept = len(train) - max(1, len(train) // 10)
        logger.warning("%r has no test split, so its last tenth is kept for the test.", source)
        train, test = train[:kept], train[kept:]
    return train, valid, test


def _joined(texts: list[str]) -> list[str]:
    """Texts whose characters are set apart by spaces, without these."""
    apart = all(len(piece) == 1 for text in texts[:10] for piece in text.split())
    return [text.replace(" ", "") for text in texts] if apart else texts


def _by_domain(corpora: Mapping[str, datasets.Dataset]) -> dict[str, list[str]]:
    """Texts by the name of the corpus, or of the domain where it has several."""
    texts: dict[str, list[str]] = {}
    for name, dataset in corpora.items():
        domains = dataset[_DOMAIN] if _DOMAIN in dataset.column_names else [name] * len(dataset)
        for domain, text in zip(domains, dataset["text"], strict=True):
            texts.setdefault(domain, []).append(text)
    return texts


def _without_copies(
    outliers: dict[str, datasets.Dataset], train: Sequence[str], others: Mapping[str, Sequence[str]]
) -> dict[str, DecontaminationReport]:
    """Takes copies of other texts out of each set of `outliers`; returns what was removed."""

    def words(texts: Sequence[str]) -> datasets.Dataset:
        return datasets.Dataset.from_dict({"text": [text.replace("_", " ") for text in texts]})

    compared = {name: words(texts) for name, texts in others.items()}
    reports = {}
    for source, dataset in outliers.items():
        outliers[source], reports[source] = decontaminate_text(dataset, words(train), compared)
    return reports
