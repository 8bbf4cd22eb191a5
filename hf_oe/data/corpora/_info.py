"""What is known of a corpus: where it lives, what it holds, under which terms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class SourceFile:
    """A published file in its original format.

    Attributes:
        name: the file's own name, under which `data_dir` is searched.
        url: where it can be downloaded; `None` if only a user's own copy will do.
        checksum: "md5:…" or "sha256:…" in hexadecimal, if one is known.
    """

    name: str
    url: str | None = None
    checksum: str | None = None


def published_at(home: str | None, checksums: Mapping[str, str | None]) -> tuple[SourceFile, ...]:
    """Files by name with their checksums, at `<home>/<name>` or without a public home."""
    return tuple(SourceFile(name, home and f"{home}/{name}", checksum) for name, checksum in checksums.items())


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
        streamed_only: whether it is too large to be kept as a whole.
        common_file_names: whether other sets use the same file names, so that they are looked for in
            `<data_dir>/<name>/` and not in `data_dir` itself.
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
    streamed_only: bool = False
    common_file_names: bool = False
    notes: str = ""

    @property
    def home(self) -> str:
        """Where the corpus comes from when `data_dir` does not have it."""
        if self.derived_from:
            return f"derived from {self.derived_from}"
        homes = [f"Hub {self.hub.repo}"] if self.hub else []
        for files in self.files.values():
            if all(file.url for file in files):
                homes += [file.url for file in files if file.url not in homes]
        return ", ".join(homes) or "none: only from a file of your own"

    @property
    def checksums(self) -> dict[str, str]:
        """Checksum of each original file for which one is known."""
        return {file.name: file.checksum for files in self.files.values() for file in files if file.checksum}
