"""Whether the Hub can be reached, found out once and quickly."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import datasets
from huggingface_hub import get_session

from ._files import UNREACHABLE

_TIMEOUT_SECONDS = 10


@cache
def answers() -> bool:
    """Whether the Hub answers at all; asked once a process."""
    try:
        get_session().head(datasets.config.HF_ENDPOINT, timeout=_TIMEOUT_SECONDS)
    except UNREACHABLE:
        return False
    return True


@contextmanager
def offline_unless_it_answers() -> Iterator[None]:
    """Without a network, `datasets` looks into its cache at once; else it would first ask again for half a minute."""
    before = datasets.config.HF_HUB_OFFLINE
    datasets.config.HF_HUB_OFFLINE = before or not answers()
    try:
        yield
    finally:
        datasets.config.HF_HUB_OFFLINE = before
