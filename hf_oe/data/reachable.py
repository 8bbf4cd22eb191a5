"""Loads as many of an experiment's test corpora as can be reached."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from torch.utils.data import Dataset

from .corpora import CorpusNotFoundError

logger = logging.getLogger(__name__)


def load_reachable(
    sources: Sequence[str], load: Callable[[str, str], Dataset]
) -> tuple[dict[str, Dataset], list[str]]:
    """The test anomalies by name, and the names of those that are out of reach, each with a warning.

    Args:
        sources: as `load_source` takes them; a file is named without its suffix.
        load: makes the dataset from source and name; may raise `CorpusNotFoundError`.

    Raises `CorpusNotFoundError` if none can be reached.
    """
    found, left_out = {}, []
    for source in sources:
        name = Path(source).stem if Path(source).suffix else source
        try:
            found[name] = load(source, name)
        except CorpusNotFoundError as error:
            logger.warning("Test corpus %s is left out: %s", name, error)
            left_out.append(name)
    if not found:
        raise CorpusNotFoundError(
            f"None of the test corpora {', '.join(sources)} can be reached: name others with --ood_corpora, or "
            "put <corpus>/test.parquet files into --data_dir."
        )
    return found, left_out
