"""What was compared, what was removed and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import datasets


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

    @classmethod
    def from_dict(cls, report: Mapping[str, Any]) -> DecontaminationReport:
        """The inverse of `dataclasses.asdict`, for a report that was kept in a run's results."""
        return cls(**{**report, "matches": [Match(**match) for match in report["matches"]]})

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


def without(outliers: datasets.Dataset | np.ndarray, removed: Mapping[int, Match]) -> datasets.Dataset | np.ndarray:
    kept = np.setdiff1d(np.arange(len(outliers)), list(removed))
    return outliers[kept] if isinstance(outliers, np.ndarray) else outliers.select(kept)


def check_names(test_anomalies: Mapping[str, object] | None) -> Mapping[str, object]:
    if "in_distribution" in (test_anomalies or {}):
        raise ValueError("`test_anomalies` has a set named 'in_distribution', which is the other argument: rename it.")
    return test_anomalies or {}
