"""What all corpora have in common: where they are looked for, and how their original files become a dataset."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import datasets
import numpy as np

from . import _files, _hub
from ._columns import rename_columns
from ._errors import CorpusNotFoundError, CorruptFileError, explaining, first_line
from ._formats import encode
from ._info import CorpusInfo

CORPORA: dict[str, Any] = {}
"""Every corpus by name: `corpus`, its `CorpusInfo`, and `load(split, folder, streaming)`."""

Class = TypeVar("Class")


def register(corpus_class: Class) -> Class:
    """Class decorator that files a corpus under its name."""
    CORPORA[corpus_class.corpus.name] = corpus_class
    return corpus_class


@dataclass
class CorpusConfig(datasets.BuilderConfig):
    """One split of a corpus; its name is the split's.

    Attributes:
        paths: original files of the user's; by default those of the public home.
        stamps: size and time of change of each, so that a changed file is read anew.
    """

    version: str = "1.0.0"
    paths: tuple[str, ...] = ()
    stamps: tuple[tuple[int, int], ...] = ()


class CorpusBuilder(datasets.GeneratorBasedBuilder):
    """A `datasets` builder of one split of a corpus; a subclass describes it and reads its original files."""

    BUILDER_CONFIG_CLASS = CorpusConfig

    corpus: ClassVar[CorpusInfo]
    features: ClassVar[datasets.Features]

    def examples(self, split: str, *paths: str) -> Iterator[dict[str, Any]]:
        """Rows of a split from its original files, in the order of `corpus.files[split]`.

        An image is what `datasets.Image` takes; uint8 arrays `(height, width[, 3])` are encoded here.
        """
        raise NotImplementedError

    @classmethod
    def adapt(cls, dataset: Any) -> Any:
        """What the Hub's copy needs besides other names for its columns."""
        return dataset

    def _info(self) -> datasets.DatasetInfo:
        return datasets.DatasetInfo(
            description=self.corpus.description,
            features=self.features,
            homepage=self.corpus.homepage,
            license=self.corpus.licence,
            citation=self.corpus.citation,
        )

    def _split_generators(self, dl_manager: Any) -> list[datasets.SplitGenerator]:
        split = self.config.name
        paths = self.config.paths or tuple(_files.download(file) for file in self.corpus.files[split])
        return [datasets.SplitGenerator(name=split, gen_kwargs={"split": split, "paths": paths})]

    def _generate_examples(self, split: str, paths: tuple[str, ...]) -> Iterator[tuple[int, dict[str, Any]]]:
        for number, row in enumerate(self.examples(split, *paths)):
            if isinstance(row.get("image"), np.ndarray):
                row["image"] = encode(row["image"])
            yield number, row

    @classmethod
    def _of_split(cls, split: str, paths: list[str]) -> CorpusBuilder:
        stats = [os.stat(path) for path in paths]
        return cls(
            config_name=split,
            dataset_name=f"hf_oe_{cls.corpus.name}",
            paths=tuple(os.path.abspath(path) for path in paths),
            stamps=tuple((stat.st_size, stat.st_mtime_ns) for stat in stats),
        )

    @classmethod
    def load(cls, split: str, folder: Path | None, streaming: bool) -> Any:
        """The split from the user's original files, or else from the first public home that can be reached."""
        files = cls.corpus.files.get(split, ())
        own = _files.find_files(cls.corpus, split, folder)
        if own and all(own):
            return cls.from_files(split, own, streaming)
        homes: dict[str, Callable[[], Any]] = {}
        if cls.corpus.hub:
            homes[f"the Hub repository {cls.corpus.hub.repo}"] = lambda: cls.from_hub(split, streaming)
        if any(file.url for file in files):
            urls = ", ".join(file.url or file.name for file in files)
            homes[urls] = lambda: cls.from_files(split, _files.complete(own, files), streaming)
        tried = {}
        for home, load in homes.items():
            try:
                return load()
            except _files.UNREACHABLE as error:
                tried[home] = first_line(error)
        raise CorpusNotFoundError(_out_of_reach(cls.corpus, split, folder, tried))

    @classmethod
    def from_files(cls, split: str, paths: list[str], streaming: bool) -> Any:
        """The split from those files of the user's, or from downloaded ones if there are none."""
        builder = cls._of_split(split, paths)
        if paths and not streaming and not os.path.exists(builder.cache_dir):
            _files.check_own_files(paths, cls.corpus.files.get(split, ()))
        try:
            with explaining(f"preparing {cls.corpus.name}"):
                if streaming:
                    return builder.as_streaming_dataset(split)
                builder.download_and_prepare()
                return builder.as_dataset(split)
        except CorruptFileError as error:
            _files.discard(error.path)
            raise

    @classmethod
    def place(cls, split: str) -> str | None:
        """ "cache" if the split from its public home is in the cache of `datasets`."""
        places = [cls._of_split(split, []).cache_dir]
        if cls.corpus.hub:
            hub = cls.corpus.hub
            places.append(
                os.path.join(datasets.config.HF_DATASETS_CACHE, hub.repo.replace("/", "___"), hub.config or "default")
            )
        return "cache" if any(os.path.isdir(place) for place in places) else None

    @classmethod
    def from_hub(cls, split: str, streaming: bool) -> Any:
        """The split from the corpus's repository on the Hub, its columns named by the convention."""
        hub = cls.corpus.hub
        try:
            with _hub.offline_unless_it_answers(), explaining(f"preparing {cls.corpus.name}"):
                dataset = datasets.load_dataset(
                    hub.repo,
                    hub.config,
                    split=hub.splits.get(split, split),
                    revision=hub.revision,
                    streaming=streaming,
                )
                return cls.adapt(rename_columns(dataset, hub.columns))
        except (ValueError, RuntimeError) as error:
            raise CorpusNotFoundError(f"the repository is not what it was: {first_line(error)}") from error


def _out_of_reach(info: CorpusInfo, split: str, folder: Path | None, tried: dict[str, str]) -> str:
    names = " and ".join(file.name for file in info.files.get(split, ()))
    supplied = f"{info.name}/{split}.parquet" + (f" or {info.name}/{names}" if names else "")
    attempts = [f"data_dir {folder}" if folder else "no data_dir was given"]
    attempts += [f"{home} ({reason})" for home, reason in tried.items()] or ["no public home is known"]
    elsewhere = f", or run `python -m hf_oe.data prepare {info.name} --output FOLDER` where there is a network"
    return (
        f"Corpus {info.name!r}, split {split!r}, is out of reach (tried: {'; '.join(attempts)}): put {supplied} into "
        f"a folder and name it with data_dir or HF_OE_DATA_DIR{elsewhere if tried else ''}."
    )
