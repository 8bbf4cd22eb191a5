"""Finds outlier images that are copies of others.

Images are compared in two steps. Low frequencies of the grey 32 x 32 thumbnail, weighted towards the centre, propose
candidates by a matrix product; horizontal mirroring only changes the sign of the odd frequencies, so it costs nothing.
Candidates are then compared pixel by pixel, in colour, mirrored or not, shifted by up to a pixel.
"""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from tqdm.auto import tqdm

from ._report import DecontaminationReport, Match, check_names, without

if TYPE_CHECKING:
    import datasets

_SIDE = 32
_FREQUENCIES = 7
_GREY = np.array([0.299, 0.587, 0.114], np.float32)
_CHUNK = 16_384  # outliers whose thumbnails are in memory at a time
_DECODED = 64  # full-size pictures in memory at a time
_QUERIES, _REFERENCES = 512, 2048  # sides of a block of similarities, small enough for the cache
_PAIRS = 256  # candidates verified at a time

# Set so that 99.9 % of altered CIFAR-10 images stay candidates.
_MAX_BRIGHTNESS_CHANGE = 8.0
_MIN_SIMILARITY = 0.94
_MAX_CANDIDATES = 10


def decontaminate(
    outliers: datasets.Dataset | np.ndarray,
    in_distribution: datasets.Dataset | np.ndarray,
    test_anomalies: Mapping[str, datasets.Dataset | np.ndarray] | None = None,
    image_column: str = "image",
    max_distance: float = 16.0,
    max_relative_distance: float = 0.35,
) -> tuple[datasets.Dataset | np.ndarray, DecontaminationReport]:
    """Removes outliers that are images of the in-distribution or a test set, also as altered copies.

    Altered means re-encoded, resized, mirrored left to right, shifted by up to a pixel of the 32 x 32 thumbnail, or
    several of these; crops and changes of colour are not looked for. Images of less than one grey level of contrast
    are only removed as exact copies. Drawings of few strokes, such as the digit one, can be near copies by chance:
    lower `max_distance` if both sets are of that kind. The outliers pass in chunks, so memory grows only with the
    other sets, by about 400 bytes an image.

    Args:
        outliers, in_distribution: with an `image_column` of the feature type `datasets.Image`, or uint8 arrays
            `(images, height, width)` or `(images, height, width, 3)`, which may be memory-mapped.
        test_anomalies: further sets by name.
        max_distance: largest root mean square difference of near copies' thumbnails, in grey levels of 255.
        max_relative_distance: the same as a share of the image's contrast (the standard deviation of its pixels), so
            that smooth or dark images are not taken for copies of each other.

    Returns:
        The outliers that stay, in their order, and the report on the others.

    Raises:
        TypeError: a set is neither a `datasets.Dataset` nor a uint8 array.
        ValueError: a set is empty or has no `image_column` of images, or an array has another shape.

    Example:
        >>> outliers, report = decontaminate(outliers, cifar10, {"svhn": svhn, "places365": places365})
        >>> print(report.to_markdown())
    """
    source = _ImageSource("outliers", outliers, image_column)
    sets = {"in_distribution": in_distribution, **check_names(test_anomalies)}
    sources = [_ImageSource(name, images, image_column) for name, images in sets.items()]
    references = [_ReferenceImages(reference) for reference in sources]
    limits = max_distance, max_relative_distance
    matches: dict[int, Match] = {}
    with tqdm(total=len(source), desc="Comparing outliers", unit="image") as progress:
        for start in range(0, len(source), _CHUNK):
            rows = range(start, min(start + _CHUNK, len(source)))
            chunk = _Thumbnails.of(source, rows, progress)
            for reference in references:
                matches.update(reference.matches(chunk, matches.keys(), limits))
    report = DecontaminationReport(
        num_outliers=len(source),
        corpora={reference.name: len(reference) for reference in sources},
        criterion=(
            f"Near copies are re-encoded, resized, mirrored or shifted by a pixel: at 32 × 32 they differ by at most "
            f"{max_distance:g} grey levels and {max_relative_distance:.0%} of the contrast (root mean square)."
        ),
        matches=[matches[index] for index in sorted(matches)],
    )
    return without(outliers, matches), report


class _ImageSource:
    """RGB pictures by index, from a dataset or an array."""

    def __init__(self, name: str, images: datasets.Dataset | np.ndarray, image_column: str):
        self.name = name
        self._column = image_column
        if isinstance(images, np.ndarray):
            self._images = _check_array(name, images)
        else:
            self._images = _check_dataset(name, images, image_column)
        if not len(images):
            raise ValueError(f"`{name}` is empty: give at least one image.")

    def __len__(self) -> int:
        return len(self._images)

    def pictures(self, rows: Sequence[int]) -> Iterator[Image.Image]:
        for start in range(0, len(rows), _DECODED):
            batch = rows[start : start + _DECODED]
            if isinstance(self._images, np.ndarray):
                images = map(Image.fromarray, self._images[np.asarray(batch)])
            else:
                images = self._images[batch][self._column]
            yield from (image.convert("RGB") for image in images)


def _check_array(name: str, images: np.ndarray) -> np.ndarray:
    if images.dtype != np.uint8:
        raise TypeError(f"`{name}` is an array of {images.dtype}: give uint8 pixels from 0 to 255.")
    if images.ndim != 3 and (images.ndim != 4 or images.shape[3] != 3):
        raise ValueError(
            f"`{name}` is an array of shape {images.shape}: give (images, height, width), or that and 3 colours."
        )
    return images


def _check_dataset(name: str, images: datasets.Dataset, column: str) -> datasets.Dataset:
    import datasets

    if not isinstance(images, datasets.Dataset):
        raise TypeError(f"`{name}` is a {type(images).__name__}: give a datasets.Dataset or an array of uint8 pixels.")
    if not isinstance(images.features.get(column), datasets.Image):
        raise ValueError(
            f"`{name}` has no column {column!r} of the feature type datasets.Image; its columns are "
            f"{', '.join(images.column_names)}: name the one that holds the images with `image_column`."
        )
    return images.select_columns(column).with_format(None)


@dataclass(frozen=True)
class _Thumbnails:
    """What is kept of some pictures: `rows` in their source, hashes of the full pixels, and uint8 (n, 32, 32, 3)."""

    rows: Sequence[int]
    digests: list[bytes]
    pixels: np.ndarray

    @classmethod
    def of(cls, source: _ImageSource, rows: Sequence[int], progress: tqdm | None = None) -> _Thumbnails:
        digests, pixels = [], np.empty((len(rows), _SIDE, _SIDE, 3), np.uint8)
        for target, picture in zip(pixels, source.pictures(rows), strict=True):
            digests.append(_digest(picture))
            target[...] = picture.resize((_SIDE, _SIDE), Image.Resampling.BILINEAR, reducing_gap=3.0)
            if progress is not None:
                progress.update()
        return cls(rows, digests, pixels)


def _digest(picture: Image.Image) -> bytes:
    size = f"{picture.width}x{picture.height}".encode()
    return hashlib.blake2b(picture.tobytes(), digest_size=16, key=size).digest()


class _ReferenceImages:
    """A set that outliers are compared with: hashes and descriptors; thumbnails are made again when needed."""

    def __init__(self, source: _ImageSource):
        self.source = source
        self.first_row: dict[bytes, int] = {}
        parts = []
        with tqdm(total=len(source), desc=f"Reading {source.name}", unit="image") as progress:
            for start in range(0, len(source), _CHUNK):
                rows = range(start, min(start + _CHUNK, len(source)))
                thumbnails = _Thumbnails.of(source, rows, progress)
                for row, digest in zip(rows, thumbnails.digests, strict=True):
                    self.first_row.setdefault(digest, row)
                parts.append(_describe(thumbnails.pixels.astype(np.float32) @ _GREY))
        brightness, even, odd = (torch.cat(part) for part in zip(*parts, strict=True))
        # Sorted by brightness, the images that may match a block of equally bright outliers are a slice.
        self.brightness, self.rows = brightness.sort(stable=True)
        self.even, self.odd = even[self.rows], odd[self.rows]

    def matches(self, chunk: _Thumbnails, done: Container[int], limits: tuple[float, float]) -> dict[int, Match]:
        """Matches by outlier, for those of the chunk that are not `done`."""
        found, places = {}, []
        for place, (row, digest) in enumerate(zip(chunk.rows, chunk.digests, strict=True)):
            if row in done:
                continue
            if digest in self.first_row:
                found[row] = Match(row, self.source.name, self.first_row[digest], "exact")
            else:
                places.append(place)
        places = np.array(places, dtype=np.int64)
        queries, references = self._candidates(chunk.pixels[places])
        best: dict[int, Match] = {}
        for query, reference, distance, mirrored in self._verified(chunk.pixels[places], queries, references, limits):
            row = chunk.rows[places[query]]
            match = Match(row, self.source.name, reference, "near", distance, mirrored)
            if row not in best or distance < best[row].distance:
                best[row] = match
        return found | best

    def _candidates(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pairs of a row of `pixels` and a row of the source, sorted by the latter."""
        pairs = [self._similar(*_describe(_shifted(pixels, down, across))) for down in (-1, 1) for across in (-1, 1)]
        references, queries = np.unique(np.concatenate(pairs), axis=0).T
        return queries, references

    def _similar(self, brightness: torch.Tensor, even: torch.Tensor, odd: torch.Tensor) -> np.ndarray:
        """Pairs (p, 2) of a row of the source and a query, whose descriptors are alike."""
        brightness, order = brightness.sort(stable=True)
        even, odd = even[order], odd[order]
        pairs = [torch.empty((0, 2), dtype=torch.int64)]
        for start in range(0, len(order), _QUERIES):
            block = slice(start, start + _QUERIES)
            lowest, highest = brightness[block][[0, -1]]
            first = int(torch.searchsorted(self.brightness, lowest - _MAX_BRIGHTNESS_CHANGE))
            last = int(torch.searchsorted(self.brightness, highest + _MAX_BRIGHTNESS_CHANGE))
            for left in range(first, last, _REFERENCES):
                right = min(left + _REFERENCES, last)
                similarity = (odd[block] @ self.odd[left:right].T).abs_()
                similarity.addmm_(even[block], self.even[left:right].T)
                hits = (similarity.amax(1) > _MIN_SIMILARITY).nonzero()[:, 0]
                top = similarity[hits].topk(min(_MAX_CANDIDATES, right - left))
                row, rank = (top.values > _MIN_SIMILARITY).nonzero(as_tuple=True)
                references = self.rows[left + top.indices[row, rank]]
                pairs.append(torch.stack([references, order[start + hits[row]]], dim=1))
        return torch.cat(pairs).numpy()

    def _verified(
        self, pixels: np.ndarray, queries: np.ndarray, references: np.ndarray, limits: tuple[float, float]
    ) -> Iterator[tuple[int, int, float, bool]]:
        """Of the candidates, those near enough: query, reference, distance, mirrored."""
        max_distance, max_relative_distance = limits
        for start in range(0, len(queries), _PAIRS):
            pairs = slice(start, start + _PAIRS)
            rows, places = np.unique(references[pairs], return_inverse=True)
            others = _smoothed(_Thumbnails.of(self.source, rows.tolist()).pixels)[places]
            distances, contrast, mirrored = _distances(_smoothed(pixels[queries[pairs]]), others)
            near = (distances <= max_distance) & (distances <= max_relative_distance * contrast) & (contrast >= 1)
            for pair in np.flatnonzero(near):
                query, reference = int(queries[start + pair]), int(references[start + pair])
                yield query, reference, float(distances[pair]), bool(mirrored[pair])


def _waves() -> np.ndarray:
    """(32, frequencies): orthonormal cosines that fade at the border, where a shift brings in other pixels."""
    x = (np.arange(_SIDE) + 0.5) / _SIDE
    waves = np.cos(np.pi * x[:, None] * np.arange(_FREQUENCIES)) * np.sin(np.pi * x[:, None]) ** 2
    return np.linalg.qr(waves)[0].astype(np.float32)


def _describe(grey: np.ndarray) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Brightness (n,) in grey levels, and normalised low frequencies (n, d) that are even and odd across the image."""
    waves = torch.from_numpy(_waves())
    weights = waves[:, 0].abs() / waves[:, 0].abs().sum()
    grey = torch.from_numpy(grey)
    brightness = torch.einsum("nyx,y,x->n", grey, weights, weights)
    frequencies = torch.einsum("nyx,yv,xu->nvu", grey - brightness[:, None, None], waves, waves)
    # A floor on the length keeps flat images from turning their rounding noise into a pattern.
    frequencies /= frequencies.flatten(1).norm(dim=1).clamp_min(1.0)[:, None, None]
    return brightness, frequencies[:, :, ::2].flatten(1), frequencies[:, :, 1::2].flatten(1)


def _shifted(pixels: np.ndarray, down: int, across: int) -> np.ndarray:
    """Grey levels, float32 (n, 32, 32), shifted by half a pixel each way: then a shift by a whole one is as near."""
    grey = pixels.astype(np.float32) @ _GREY
    for axis, step in ((1, down), (2, across)):
        grey = (grey + np.roll(grey, step, axis)) / 2
    return grey


def _smoothed(pixels: np.ndarray) -> np.ndarray:
    """float32 (n, 32, 32, 3): a little blur, since encoders and resizers differ in the finest detail."""
    smooth = pixels.astype(np.float32)
    for axis in (1, 2):
        smooth = smooth / 2 + (np.roll(smooth, 1, axis) + np.roll(smooth, -1, axis)) / 4
    return smooth


def _distances(images: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each pair the distance at the best alignment, the contrast, and whether it is mirrored: each (n,)."""
    # Two pixels of border stay out: the blur wraps around there, and a shifted copy has other pixels.
    inner = images[:, 2:-2, 2:-2]
    contrast = inner.std(axis=(1, 2)).mean(axis=1)
    distances = np.full((2, len(images)), np.inf, np.float32)
    for mirrored, aligned in enumerate((others, others[:, :, ::-1])):
        for top in (1, 2, 3):
            for left in (1, 2, 3):
                difference = inner - aligned[:, top : top + _SIDE - 4, left : left + _SIDE - 4]
                distance = np.sqrt(np.einsum("nyxc,nyxc->n", difference, difference) / difference[0].size)
                np.minimum(distances[mirrored], distance, out=distances[mirrored])
    return distances.min(axis=0), contrast, distances.argmin(axis=0) == 1
