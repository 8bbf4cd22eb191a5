"""What is known of a corpus: where it lives, what it holds, under which terms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


class CorpusNotFoundError(FileNotFoundError):
    """A corpus, or one of its splits, can neither be found in `data_dir` nor be reached at its public home."""


@dataclass(frozen=True)
class SourceFile:
    """A published file in its original format.

    Attributes:
        name: the file's own name, under which `data_dir` is searched.
        url: where it can be downloaded; `None` if only a user's own copy will do.
        md5, sha256: hexadecimal digest, as far as one is known.
    """

    name: str
    url: str | None = None
    md5: str | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class HubRepository:
    """A dataset repository on the Hugging Face Hub that holds a corpus.

    Attributes:
        repo: "user/name".
        config, revision: as `datasets.load_dataset` takes them.
        splits: the repository's name of a split, where it differs from the corpus's.
        columns: the convention's name ("image", "label", "text") by the repository's name of a column.
    """

    repo: str
    config: str | None = None
    revision: str | None = None
    splits: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class CorpusInfo:
    """A corpus of the paper.

    Attributes:
        name: as `load_corpus` takes it.
        roles: some of "in-distribution", "outlier", "test anomaly".
        modality: "image" or "text".
        splits: number of examples by split; `None` where it is not known.
        description: one sentence.
        licence, citation, homepage: as its makers state them.
        hub: the repository on the Hub that holds it, if there is one.
        files: the original files that a split is read from.
        derived_from: the corpus from which this one is computed.
        notes: what a user should know before relying on it.
    """

    name: str
    roles: tuple[str, ...]
    modality: str
    splits: Mapping[str, int | None]
    description: str
    licence: str
    citation: str
    homepage: str
    hub: HubRepository | None = None
    files: Mapping[str, tuple[SourceFile, ...]] = field(default_factory=dict)
    derived_from: str | None = None
    notes: str = ""

    @property
    def home(self) -> str:
        """Where the corpus comes from when `data_dir` does not have it."""
        if self.derived_from:
            return f"derived from {self.derived_from}"
        homes = [f"Hub {self.hub.repo}"] if self.hub else []
        homes += sorted({file.url for files in self.files.values() for file in files if file.url})
        return ", ".join(homes) or "none: only from a file of your own"

    @property
    def checksums(self) -> dict[str, str]:
        """ "md5:…" or "sha256:…" of each original file for which one is known."""
        files = {file.name: file for files in self.files.values() for file in files}
        return {
            name: f"md5:{file.md5}" if file.md5 else f"sha256:{file.sha256}"
            for name, file in files.items()
            if file.md5 or file.sha256
        }
