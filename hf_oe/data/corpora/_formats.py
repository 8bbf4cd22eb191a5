"""Readers of the formats in which corpora were published: IDX, pickles, MATLAB, LMDB, `.npy`, text, CoNLL-U."""

from __future__ import annotations

import gzip
import io
import os
import pickle
import re
import tempfile
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ._archives import members
from ._errors import CorruptFileError, corrupt_if


def read_idx(path: str) -> np.ndarray:
    """A uint8 array in the IDX format of MNIST, gzipped or not; raises `CorruptFileError`."""
    content = Path(path).read_bytes()
    with corrupt_if(path, EOFError, gzip.BadGzipFile, zlib.error):
        content = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    if len(content) < 4 or content[:3] != b"\0\0\x08" or len(content) < 4 + 4 * content[3]:
        raise CorruptFileError(path, "it has no IDX header of unsigned bytes")
    header = 4 + 4 * content[3]
    shape = np.frombuffer(content, ">u4", content[3], offset=4).astype(int)
    if len(content) - header != shape.prod():
        raise CorruptFileError(
            path, f"{shape.prod():,} bytes of data were announced, {len(content) - header:,} are there"
        )
    with corrupt_if(path, ValueError):
        return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


class _ArrayUnpickler(pickle.Unpickler):
    """Knows NumPy arrays and plain containers; refuses everything else, since a pickle can run any program."""

    _KNOWN = {
        "_reconstruct": np.empty(0).__reduce__()[0],
        "ndarray": np.ndarray,
        "dtype": np.dtype,
    }

    def find_class(self, module: str, name: str) -> Any:
        if module in ("numpy", "numpy.core.multiarray", "numpy._core.multiarray") and name in self._KNOWN:
            return self._KNOWN[name]
        if (module, name) == ("_codecs", "encode"):  # how Python 3 writes bytes in the old protocols
            return lambda text, encoding: text.encode(encoding)
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, which array data does not need")


_PICKLE_ERRORS = (
    pickle.UnpicklingError, AttributeError, EOFError, LookupError, MemoryError, OverflowError, TypeError, ValueError,
)  # fmt: skip


def read_cifar(path: str, names: tuple[str, ...]) -> Iterator[dict[bytes, Any]]:
    """The batches with those file names in a CIFAR archive, in that order.

    Yields:
        The batch's dictionary; `b"data"` is replaced by uint8 images `(batch, 32, 32, 3)`.
    """
    batches = {}
    for name, content in members(path, lambda name: name.rpartition("/")[2] in names):
        with corrupt_if(f"{path}, member {name}", *_PICKLE_ERRORS):
            batch = _ArrayUnpickler(io.BytesIO(content), encoding="bytes").load()
            batch[b"data"] = batch[b"data"].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        batches[name.rpartition("/")[2]] = batch
    missing = [name for name in names if name not in batches]
    if missing:
        raise CorruptFileError(path, f"it lacks {', '.join(missing)}")
    for name in names:
        yield batches[name]


def read_mat(path: str, *variables: str) -> list[np.ndarray]:
    """Variables of a MATLAB file; raises `CorruptFileError`."""
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    with corrupt_if(path, MatReadError, OSError, ValueError, TypeError, KeyError, NotImplementedError, zlib.error):
        contents = loadmat(path, variable_names=variables)
        return [contents[variable] for variable in variables]


def read_lmdb(path: str) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of an LMDB folder, or of a zip file that holds one, in the order of the keys."""
    try:
        import lmdb
    except ImportError as error:
        raise ImportError(f"Reading {path} needs lmdb: install it with `pip install hf_oe[lsun]`.") from error

    with tempfile.TemporaryDirectory() as folder, corrupt_if(path, lmdb.Error, zipfile.BadZipFile):
        if os.path.isfile(path):
            for _, content in members(path, lambda name: name.endswith("data.mdb")):
                Path(folder, "data.mdb").write_bytes(content)
        source = folder if os.path.isfile(path) else path
        with lmdb.open(source, readonly=True, lock=False) as environment, environment.begin() as transaction:
            yield from transaction.cursor()


def npy_header(path: str) -> tuple[tuple[int, ...], int]:
    """Shape `(count, height, width[, channels])` of the uint8 images in a `.npy` file, and where the data begin."""
    with corrupt_if(path, ValueError, EOFError, OSError, OverflowError, SyntaxError, TypeError, tokenize.TokenError):
        array = np.load(path, mmap_mode="r", allow_pickle=False)
        shape, offset, in_order = array.shape, array.offset, array.flags.c_contiguous
    if (
        array.dtype != np.uint8
        or array.ndim not in (3, 4)
        or not in_order
        or (array.ndim == 4 and shape[3] not in (1, 3))
    ):
        raise CorruptFileError(
            path, f"{array.dtype} of shape {shape} instead of uint8 images (count, height, width[, channels])"
        )
    return shape, offset


def read_npy(path: str, start: int = 0, stop: int | None = None, block: int = 1024) -> Iterator[np.ndarray]:
    """Images `start` to `stop` of a `.npy` file, a block of them in memory at a time.

    Yields:
        uint8 `(height, width)` or `(height, width, 3)`.
    """
    shape, offset = npy_header(path)
    stop = shape[0] if stop is None else stop
    size = int(np.prod(shape[1:]))
    image_shape = shape[1:3] if shape[3:] in ((), (1,)) else shape[1:]
    for first in range(start, stop, block):
        count = min(block, stop - first)
        # A memory map would keep every page that was read in the process's memory.
        pixels = np.fromfile(path, np.uint8, count * size, offset=offset + first * size)
        yield from pixels.reshape(count, *image_shape)


def encode(pixels: np.ndarray) -> dict[str, Any]:
    """uint8 `(height, width[, 3])` as `datasets.Image` takes it, in the PPM format: lossless, and nearly free.

    `datasets` would make a PNG of it, which takes a hundred times as long.
    """
    kind = b"P6" if pixels.ndim == 3 else b"P5"
    return {"bytes": b"%s %d %d 255\n" % (kind, pixels.shape[1], pixels.shape[0]) + pixels.tobytes(), "path": None}


def read_lines(path: str, encoding: str = "utf-8") -> Iterator[str]:
    """Lines of a text file without the blank ones and without outer spaces; raises `CorruptFileError`."""
    with corrupt_if(path, UnicodeDecodeError), open(path, encoding=encoding) as file:
        for line in file:
            if line.strip():
                yield line.strip()


def read_conllu(path: str) -> Iterator[tuple[dict[str, str], list[str]]]:
    """Sentences of a CoNLL-U file: its comments (a "newdoc id" goes on to later sentences) and its words.

    Multiword tokens and empty nodes are left out, so that "don't" is the two words "do" and "n't".
    """
    comments: dict[str, str] = {}
    words: list[str] = []
    with corrupt_if(path, UnicodeDecodeError):
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    for number, line in enumerate([*lines, ""], start=1):
        if line.startswith("#"):
            key, _, value = line[1:].partition("=")
            comments[key.strip()] = value.strip()
        elif line:
            columns = line.split("\t")
            if len(columns) != 10:
                raise CorruptFileError(path, f"line {number} has {len(columns)} columns instead of 10")
            if re.fullmatch(r"\d+", columns[0]):
                words.append(columns[1])
        elif words:
            yield dict(comments), words
            comments, words = {key: value for key, value in comments.items() if key == "newdoc id"}, []
