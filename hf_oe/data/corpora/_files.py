"""Original files: found in the user's folder or downloaded, and verified."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterable
from pathlib import Path

import aiohttp
import datasets
from datasets.download import DownloadConfig, DownloadManager
from fsspec.exceptions import FSTimeoutError
from huggingface_hub.errors import HfHubHTTPError

from ._errors import CorpusNotFoundError, CorruptFileError
from ._info import CorpusInfo, SourceFile

logger = logging.getLogger(__name__)

UNREACHABLE = (
    ConnectionError,
    FileNotFoundError,
    TimeoutError,
    FSTimeoutError,  # a TimeoutError from Python 3.11 on
    aiohttp.ClientError,
    HfHubHTTPError.__bases__[0],  # the HTTPError of httpx or httpx2, whichever the Hub's client is built on
)
"""What the Hub and downloads raise without a network, or when what they are asked for is not there."""

# aiohttp's own limits, 30 s to connect and 5 minutes for a whole download, are too long for the one and too short for
# the other.
TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=30)


def find_files(info: CorpusInfo, split: str, folder: Path | None) -> list[str | None]:
    """Path of each original file of a split in `<folder>/<name>/` or the folder itself; `None` where it is missing."""
    places = [] if folder is None else [folder / info.name] if info.common_file_names else [folder / info.name, folder]
    return [_find(file.name, places) for file in info.files.get(split, ())]


def complete(own: list[str | None], files: Iterable[SourceFile]) -> list[str]:
    """The user's files with downloads of those that are missing; empty if the user has none."""
    return [path or download(file) for path, file in zip(own, files, strict=True)] if any(own) else []


def _find(name: str, places: Iterable[Path]) -> str | None:
    # A file that was unzipped with gunzip is as good, and so is the folder of an unpacked LMDB.
    candidates = [place / variant for place in places for variant in (name, name.removesuffix(".gz"))]
    return next((str(path) for path in candidates if path.exists()), None)


def digest(path: str, algorithm: str) -> str:
    """Hexadecimal MD5 or SHA-256 of a file."""
    checksum = hashlib.new(algorithm, usedforsecurity=False)
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            checksum.update(block)
    return checksum.hexdigest()


def is_published(path: str, file: SourceFile) -> bool:
    """Whether a file has the checksum of the published one, or none is known."""
    if file.checksum is None:
        return True
    algorithm, _, expected = file.checksum.partition(":")
    return digest(path, algorithm) == expected


def check_own_files(paths: list[str], files: Iterable[SourceFile]) -> None:
    """Warns about a user's files that are not the published ones."""
    for path, file in zip(paths, files, strict=False):
        if os.path.isfile(path) and os.path.basename(path) == file.name and not is_published(path, file):
            logger.warning("%s is not the published file (its checksum differs); it is used all the same.", path)


def download(file: SourceFile) -> str:
    """The path of the downloaded and verified file in the cache of `datasets`.

    Raises:
        CorpusNotFoundError: it has no public home.
        CorruptFileError: what was downloaded has another checksum; it is removed.
        One of `UNREACHABLE`: no network, or the file is gone.
    """
    if file.url is None:
        raise CorpusNotFoundError(f"{file.name} has no public home")
    config = DownloadConfig(
        cache_dir=str(datasets.config.DOWNLOADED_DATASETS_PATH),
        use_etag=False,
        storage_options={"client_kwargs": {"timeout": TIMEOUT}},
    )
    path = str(DownloadManager(download_config=config).download(file.url))
    if not is_published(path, file):
        discard(path)
        raise CorruptFileError(file.url, "the download's checksum is wrong, so it was removed")
    return path


def discard(path: str) -> None:
    """Removes a download, and what `datasets` noted of it; files outside of its cache are the user's and stay."""
    if Path(datasets.config.DOWNLOADED_DATASETS_PATH) in Path(path).parents:
        for leftover in (path, path + ".json"):
            Path(leftover).unlink(missing_ok=True)
