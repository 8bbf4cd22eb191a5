"""Copies corpora into a folder of parquet files, which machines without a network read with `data_dir`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from tqdm.auto import tqdm

from .. import synthetic
from ._errors import CorpusNotFoundError, explaining
from ._loading import corpus_classes, known_corpora, load_corpus, unknown_corpus
from ._local import resolve_data_dir


def prepare_corpora(
    names: Sequence[str],
    output: str | os.PathLike,
    data_dir: str | os.PathLike | None = None,
    splits: Sequence[str] | None = None,
) -> dict[str, str]:
    """Writes `<output>/<name>/<split>.parquet` for each corpus; what is there already is kept, and
    noise, which needs no file, is passed over.

    A file appears under its name only when it is whole, so that an interrupted call is resumed by repeating it.

    Args:
        names: of corpora, as `list_corpora` has them.
        data_dir: where to look before the public homes, as `load_corpus` does.
        splits: only these; all by default.

    Returns:
        For each "<name>/<split>" that could not be prepared, the reason.

    Raises:
        CorpusNotFoundError: a name is unknown.
        OSError: the disk is full.
    """
    for name in names:
        if name not in corpus_classes():
            raise unknown_corpus(name, known_corpora(resolve_data_dir(data_dir)))
    wanted = [
        (name, split)
        for name in names
        for split in corpus_classes()[name].corpus.splits
        if splits is None or split in splits
    ]
    failures = {}
    for name, split in (progress := tqdm(wanted, desc="Preparing corpora", unit="split")):
        progress.set_postfix_str(f"{name}/{split}")
        target = Path(output, name, f"{split}.parquet")
        if target.exists() or name in synthetic.NAMES:
            continue
        try:
            _write(name, split, data_dir, target)
        except (CorpusNotFoundError, ImportError, ValueError) as error:
            failures[f"{name}/{split}"] = str(error)
    return failures


def _write(name: str, split: str, data_dir: str | os.PathLike | None, target: Path) -> None:
    dataset = load_corpus(name, split, data_dir)
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_suffix(".incomplete")
    try:
        with explaining(f"writing {target}"):
            dataset.to_parquet(str(unfinished))
            os.replace(unfinished, target)
    finally:
        unfinished.unlink(missing_ok=True)
