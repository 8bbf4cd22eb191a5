"""Finds outlier texts whose word n-grams are, in large part, those of others."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from tqdm.auto import tqdm

from ._report import DecontaminationReport, Match, check_names, without

if TYPE_CHECKING:
    import datasets


def decontaminate_text(
    outliers: datasets.Dataset,
    in_distribution: datasets.Dataset,
    test_anomalies: Mapping[str, datasets.Dataset] | None = None,
    text_column: str = "text",
    ngram: int = 8,
    min_overlap: float = 0.5,
) -> tuple[datasets.Dataset, DecontaminationReport]:
    """Removes outlier texts whose word n-grams are, in large part, in the in-distribution or a test set.

    Words are compared without case and punctuation; all numbers count as one word and `<unk>` as none, so that raw
    text can be compared with preprocessed corpora such as the Penn Treebank. A text shorter than `ngram` words is a
    copy only of a text with the same words, a text without words of none. Memory grows with the other sets, by 16
    bytes a word.

    Args:
        outliers, in_distribution: with a `text_column` of strings.
        test_anomalies: further sets by name.
        ngram: words in an n-gram; 8 is the usual choice for deduplicating training text.
        min_overlap: share of an outlier's n-grams from which on it counts as a near copy, in (0, 1].

    Returns:
        The outliers that stay, in their order, and the report on the others. A match names the text that shares most
        n-grams among those that hold them first.

    Raises:
        TypeError: a set is no `datasets.Dataset`.
        ValueError: a set is empty or has no `text_column`, or `ngram` or `min_overlap` is out of range.
    """
    if ngram < 1:
        raise ValueError(f"`ngram` is {ngram}: give a number of words, at least 1.")
    if not 0 < min_overlap <= 1:
        raise ValueError(f"`min_overlap` is {min_overlap}: give a share above 0 and up to 1.")
    sets = {"in_distribution": in_distribution, **check_names(test_anomalies)}
    for name, texts in {"outliers": outliers, **sets}.items():
        _check_texts(name, texts, text_column)
    hasher = _NgramHasher(ngram)
    references = [_ReferenceTexts(name, texts[text_column], hasher) for name, texts in sets.items()]
    matches: dict[int, Match] = {}
    for row, text in enumerate(tqdm(outliers[text_column], desc="Comparing outliers", unit="text")):
        hashes = hasher(text)
        found = (reference.match(row, text, hashes, min_overlap) for reference in references)
        if match := next(filter(None, found), None):
            matches[row] = match
    report = DecontaminationReport(
        num_outliers=len(outliers),
        corpora={name: len(texts) for name, texts in sets.items()},
        criterion=f"Near copies share at least {min_overlap:.0%} of their {ngram}-grams of words with the corpus.",
        matches=list(matches.values()),
    )
    return without(outliers, matches), report


def _check_texts(name: str, texts: datasets.Dataset, column: str) -> None:
    import datasets

    if not isinstance(texts, datasets.Dataset):
        raise TypeError(f"`{name}` is a {type(texts).__name__}: give a datasets.Dataset.")
    if column not in texts.column_names:
        raise ValueError(
            f"`{name}` has no column {column!r}; its columns are {', '.join(texts.column_names)}: name the one that "
            "holds the texts with `text_column`."
        )
    if not len(texts):
        raise ValueError(f"`{name}` is empty: give at least one text.")


def _words(text: str) -> list[str]:
    words = re.findall(r"\w+", text.lower().replace("<unk>", " "))
    # The Penn Treebank of Mikolov et al. has N for every number.
    return ["n" if word[0].isdigit() else word for word in words]


class _NgramHasher:
    """Hashes (n,) uint64 of a text's word n-grams; of all its words, if they are fewer."""

    def __init__(self, ngram: int):
        self.ngram = ngram
        self._hashes: dict[str, int] = {}

    def __call__(self, text: str) -> np.ndarray:
        words = np.array([self._word(word) for word in _words(text)], np.uint64)
        length = min(self.ngram, len(words))
        if not length:
            return words
        # A polynomial hash in arithmetic modulo 2^64; texts of fewer words start from another value.
        hashes = np.full(len(words) - length + 1, length, np.uint64)
        for offset in range(length):
            hashes = hashes * np.uint64(0x9E3779B97F4A7C15) + words[offset : offset + len(hashes)]
        return hashes

    def _word(self, word: str) -> int:
        if word not in self._hashes:
            self._hashes[word] = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "little")
        return self._hashes[word]


class _ReferenceTexts:
    """The n-grams of a set, each with the first text that holds it."""

    def __init__(self, name: str, texts: Sequence[str], hasher: _NgramHasher):
        self.name = name
        self.first_row: dict[bytes, int] = {}
        hashes, lengths = [np.empty(0, np.uint64)], []
        for row, text in enumerate(tqdm(texts, desc=f"Reading {name}", unit="text")):
            self.first_row.setdefault(_text_digest(text), row)
            hashes.append(hasher(text))
            lengths.append(len(hashes[-1]))
        self.hashes, first = np.unique(np.concatenate(hashes), return_index=True)
        self.rows = np.repeat(np.arange(len(lengths)), lengths)[first]

    def match(self, row: int, text: str, hashes: np.ndarray, min_overlap: float) -> Match | None:
        if not len(hashes):
            return None
        if (same := self.first_row.get(_text_digest(text))) is not None:
            return Match(row, self.name, same, "exact")
        if not len(self.hashes):
            return None
        places = np.searchsorted(self.hashes, hashes).clip(max=len(self.hashes) - 1)
        shared = self.hashes[places] == hashes
        overlap = float(shared.mean())
        if overlap < min_overlap:
            return None
        nearest = int(np.bincount(self.rows[places[shared]]).argmax())
        return Match(row, self.name, nearest, "near", 1 - overlap)


def _text_digest(text: str) -> bytes:
    return hashlib.blake2b(text.strip().encode(), digest_size=16).digest()
