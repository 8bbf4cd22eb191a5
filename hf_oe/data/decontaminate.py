"""Outliers that are in-distribution or test examples in disguise: found, removed and reported.

Outlier Exposure assumes that outliers and test anomalies are disjoint, and that no outlier is in-distribution:
Hendrycks et al. (2018) take the CIFAR images out of 80 Million Tiny Images, and the classes of ImageNet-1K out of
ImageNet-22K.
`decontaminate` compares images, `decontaminate_text` texts; `drop_classes` goes by labels.

Images are compared in two steps. Low frequencies of the grey 32 x 32 thumbnail, weighted towards the centre, propose
candidates by a matrix product; horizontal mirroring only changes the sign of the odd frequencies, so it costs nothing.
Candidates are then compared pixel by pixel, in colour, mirrored or not, shifted by up to a pixel.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from tqdm.auto import tqdm

from ..registry import nearest_names

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


# ---- Report ----


@dataclass(frozen=True)
class Match:
    """An outlier that was removed, and why.

    Attributes:
        index: row of the outlier in the set as it was given.
        corpus, corpus_index: the set it was found in, and the row there.
        kind: "exact" for the same pixels or the same text, "near" for an altered copy.
        distance: between images, the root mean square difference of the thumbnails' pixels in grey levels of 255;
            between texts, the share of the outlier's n-grams that the corpus does not have.
        mirrored: whether the image is that one's mirror image.
    """

    index: int
    corpus: str
    corpus_index: int
    kind: str
    distance: float = 0.0
    mirrored: bool = False


@dataclass(frozen=True)
class DecontaminationReport:
    """What was compared and what was removed.

    Attributes:
        num_outliers: examples before the removal.
        corpora: examples of each set that the outliers were compared with.
        criterion: when an example counts as a near copy, in words.
        matches: one for each outlier removed, by index.
    """

    num_outliers: int
    corpora: dict[str, int]
    criterion: str
    matches: list[Match]

    def counts(self) -> dict[str, dict[str, int]]:
        """`{corpus: {"exact": int, "near": int}}`; an outlier counts for the first corpus that it was found in."""
        counts = Counter((match.corpus, match.kind) for match in self.matches)
        return {name: {kind: counts[name, kind] for kind in ("exact", "near")} for name in self.corpora}

    def to_markdown(self, max_matches: int = 10) -> str:
        """A section for the model card: a table of the counts, then the first `max_matches` removals."""
        share = len(self.matches) / max(self.num_outliers, 1)
        lines = [
            "## Decontamination of the outliers",
            "",
            f"{len(self.matches):,} of {self.num_outliers:,} outliers ({share:.2%}) were removed. {self.criterion}",
            "",
            "| compared with | examples | exact copies | near copies |",
            "| --- | ---: | ---: | ---: |",
        ]
        for name, counts in self.counts().items():
            lines.append(f"| {name} | {self.corpora[name]:,} | {counts['exact']:,} | {counts['near']:,} |")
        shown = self.matches[:max_matches]
        if shown:
            lines += ["", "| outlier | copy of | kind | distance |", "| ---: | --- | --- | ---: |"]
        for match in shown:
            kind = f"{match.kind}, mirrored" if match.mirrored else match.kind
            lines.append(f"| {match.index} | {match.corpus} {match.corpus_index} | {kind} | {match.distance:.3g} |")
        if len(self.matches) > len(shown):
            lines += ["", f"{len(self.matches) - len(shown):,} more are not listed."]
        return "\n".join(lines) + "\n"


# ---- Images ----


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
    sets = {"in_distribution": in_distribution, **_check_names(test_anomalies)}
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
    return _without(outliers, matches), report


def _without(outliers: datasets.Dataset | np.ndarray, removed: Mapping[int, Match]) -> datasets.Dataset | np.ndarray:
    kept = np.setdiff1d(np.arange(len(outliers)), list(removed))
    return outliers[kept] if isinstance(outliers, np.ndarray) else outliers.select(kept)


def _check_names(test_anomalies: Mapping[str, object] | None) -> Mapping[str, object]:
    if "in_distribution" in (test_anomalies or {}):
        raise ValueError("`test_anomalies` has a set named 'in_distribution', which is the other argument: rename it.")
    return test_anomalies or {}


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


# ---- Text ----


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
    sets = {"in_distribution": in_distribution, **_check_names(test_anomalies)}
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
    return _without(outliers, matches), report


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


# ---- Classes ----


def drop_classes(dataset: datasets.Dataset, names: Sequence[str], column: str = "label") -> datasets.Dataset:
    """Leaves out examples of classes that overlap with the in-distribution or test classes.

    Args:
        dataset: with a `column` of class labels or of strings.
        names: class names or WordNet ids, without regard to case and underscores. A class called `"n02123045: tabby,
            tabby cat"` answers to all of it, to `"n02123045"`, `"tabby"` and `"tabby cat"`.

    Raises:
        TypeError: `names` is one string, or `column` holds neither class labels nor strings.
        ValueError: `column` is no column, or a name is no class of it; the nearest ones are named.

    Example:
        >>> outliers = drop_classes(load_corpus("tiny_imagenet", "train"), ["tabby cat", "n02106662"])
    """
    if isinstance(names, str):
        raise TypeError(f"`names` is the string {names!r}: give a list of class names.")
    labels, classes = _labels(dataset, column)
    classes_of: dict[str, set[int]] = {}
    for number, name in enumerate(classes):
        for alias in _aliases(name):
            classes_of.setdefault(alias, set()).add(number)
    dropped: set[int] = set()
    for name in names:
        alias = _normalised(name)
        if alias not in classes_of:
            raise ValueError(
                f"`names` has {name!r}, which is no class of column {column!r}: "
                f"{nearest_names(alias, sorted(classes_of))}The column has {len(classes)} classes, such as "
                f"{', '.join(map(repr, classes[:3]))}."
            )
        dropped |= classes_of[alias]
    return dataset.select(np.flatnonzero(~np.isin(labels, list(dropped))))


def _labels(dataset: datasets.Dataset, column: str) -> tuple[np.ndarray, Sequence[str]]:
    """Class of each row as a number, and the classes' names."""
    import datasets

    if column not in dataset.column_names:
        raise ValueError(
            f"`column` {column!r} is not in the dataset, whose columns are {', '.join(dataset.column_names)}."
        )
    feature = dataset.features[column]
    values = dataset.with_format(None)[column][:]
    if isinstance(feature, datasets.ClassLabel):
        return np.array(values), feature.names
    if isinstance(feature, datasets.Value) and feature.dtype in ("string", "large_string"):
        names, labels = np.unique(np.array(values), return_inverse=True)
        return labels, names.tolist()
    raise TypeError(f"`column` {column!r} holds {feature}: name one of class labels (datasets.ClassLabel) or strings.")


def _normalised(name: str) -> str:
    return name.replace("_", " ").strip().lower()


def _aliases(name: str) -> set[str]:
    synset, colon, synonyms = name.partition(":")
    parts = [name, synset, synonyms] if colon else [name]
    return {_normalised(alias) for part in parts for alias in (part, *part.split(","))}
