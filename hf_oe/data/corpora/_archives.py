"""Members of tar and zip files, read in place and in order; nothing is unpacked to disk."""

from __future__ import annotations

import gzip
import io
import logging
import lzma
import struct
import tarfile
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator

from PIL import Image

from ._errors import CorruptFileError, corrupt_if

logger = logging.getLogger(__name__)

_DAMAGED = (
    tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, lzma.LZMAError, struct.error,
    EOFError, OverflowError, RuntimeError, ValueError,
)  # fmt: skip


class _StrictMember(tarfile.TarInfo):
    """`tarfile` takes a file that breaks off between two members, or has rubbish there, for a whole one."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> tarfile.TarInfo:
        try:
            return super().fromtarfile(archive)
        except tarfile.EOFHeaderError:
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(f"no member and no end mark at byte {archive.offset:,}") from error


def members(path: str, wanted: Callable[[str], bool] = lambda name: True) -> Iterator[tuple[str, bytes]]:
    """Name and content of those files in a tar (also compressed) or zip whose name is `wanted`.

    Raises:
        CorruptFileError: the archive is cut short or damaged.
    """
    with corrupt_if(path, *_DAMAGED):
        if zipfile.is_zipfile(path):
            # Offsets that lead out of the file are an OSError.
            with corrupt_if(path, OSError), zipfile.ZipFile(path) as archive:
                for name in archive.namelist():
                    if not name.endswith("/") and wanted(name):
                        yield name, archive.read(name)
        else:
            with open(path, "rb") as file:
                yield from tar_members(file, path, wanted)


def tar_members(
    file: io.BufferedIOBase, path: str, wanted: Callable[[str], bool] = lambda name: True
) -> Iterator[tuple[str, bytes]]:
    """`members` of an open tar file; `path` is what errors call it."""
    with corrupt_if(path, *_DAMAGED), tarfile.open(fileobj=file, tarinfo=_StrictMember) as archive:
        for member in archive:
            if member.isfile() and wanted(member.name):
                yield member.name, archive.extractfile(member).read()


def is_image(name: str) -> bool:
    """Whether a member's name is that of an image, and not of a hidden companion that some systems add."""
    folder, _, base = name.rpartition("/")
    return (
        base.lower().endswith((".bmp", ".jpeg", ".jpg", ".png", ".webp"))
        and not base.startswith(".")
        and "__MACOSX" not in folder
    )


def stem(name: str) -> str:
    """A member's name without its folders and its last suffix."""
    return name.rpartition("/")[2].rpartition(".")[0]


def readable_images(images: Iterable[tuple[str, bytes]], path: str) -> Iterator[tuple[str, dict]]:
    """Encoded images by name as `datasets.Image` takes them, without those that cannot be decoded.

    What is left out (damaged, or so large that decoding it would exhaust the memory) is counted in one warning.

    Raises:
        CorruptFileError: none of them can be decoded.
    """
    kept, left_out = 0, []
    for name, content in images:
        if _can_be_decoded(content):
            kept += 1
            yield name, {"bytes": content, "path": name.rpartition("/")[2]}
        else:
            left_out.append(name)
    if left_out and not kept:
        raise CorruptFileError(path, f"none of its {len(left_out)} images can be decoded")
    if left_out:
        logger.warning(
            "%d of %d images in %s cannot be decoded and are left out: %s",
            len(left_out),
            kept + len(left_out),
            path,
            ", ".join(left_out[:3]) + (" …" if len(left_out) > 3 else ""),
        )


def _can_be_decoded(content: bytes) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            Image.open(io.BytesIO(content)).load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        return False
    return True
