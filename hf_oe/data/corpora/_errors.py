"""What can go wrong with a corpus, each with one sentence that says what to do."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from datasets.exceptions import DatasetGenerationError


class CorpusNotFoundError(FileNotFoundError):
    """A corpus, or one of its splits, can neither be found in `data_dir` nor be reached at its public home."""


class CorruptFileError(ValueError):
    """A file is not what it should be: cut short, damaged, or of another format.

    Attributes:
        path: the file.
    """

    def __init__(self, path: str, reason: str):
        super().__init__(f"{path} is damaged, cut short or of another format ({reason}): get a fresh copy of it.")
        self.path = path


@contextmanager
def corrupt_if(path: str, *errors: type[Exception]) -> Iterator[None]:
    """Turns those errors of a reader into a `CorruptFileError` that names the file."""
    try:
        yield
    except CorruptFileError:
        raise
    except errors as error:
        raise CorruptFileError(path, f"{type(error).__name__}: {error}") from error


@contextmanager
def explaining(doing: str) -> Iterator[None]:
    """Shows what is at the bottom of an error that `datasets` has wrapped, and says what to do about a full disk.

    Args:
        doing: what is under way, such as "preparing mnist", for the message.
    """
    try:
        yield
    except (DatasetGenerationError, CorruptFileError, OSError) as error:
        raise _bottom_of(error, doing) from None


def _bottom_of(error: BaseException, doing: str) -> BaseException:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, CorruptFileError):
            return cause
        if isinstance(cause, OSError) and (cause.errno == errno.ENOSPC or "No space left" in str(cause)):
            return OSError(
                errno.ENOSPC,
                f"The disk is full while {doing}: make room, or point HF_HOME (the cache) or --output elsewhere.",
            )
        cause = cause.__cause__
    return error.__cause__ if isinstance(error, DatasetGenerationError) and error.__cause__ else error


def first_line(error: BaseException) -> str:
    """Kind and message of an error, short enough to stand inside a sentence."""
    message = (str(error).splitlines() or [""])[0].rstrip(".")
    return f"{type(error).__name__}: {message}" if message else type(error).__name__
