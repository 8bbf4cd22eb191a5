"""What a run leaves in its folder for the report: `ood_results.json`, and beside it scores and pictures.

`ood_scores.npz` holds one array for each `scores/<stage>/<score>/<corpus>`, `confidence/<stage>/<corpus>` and
`correct/<stage>`; `ood_examples.npz` one for each `<field of Examples>/<corpus>`. The in-distribution test set is the
corpus `in_distribution`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..files import replacing
from ..suite import OODResults
from .examples import Examples

RESULTS, SCORES, EXAMPLES = "ood_results.json", "ood_scores.npz", "ood_examples.npz"
_DEPTH = {"scores": 3, "confidence": 2, "correct": 1}  # of the names below; the last, the corpus, may hold a slash


@dataclass(frozen=True)
class Run:
    """A run as read from its folder; what an older run did not save is empty.

    Attributes:
        folder: where it is.
        results: what `ood_results.json` holds.
        scores: `{stage: {score: {corpus: (examples,)}}}`.
        confidence: `{stage: {corpus: (examples,)}}`.
        correct: `{stage: (in-distribution examples,)}`, bool.
        examples: by corpus.
    """

    folder: Path
    results: dict[str, Any]
    scores: dict[str, dict[str, dict[str, np.ndarray]]] = field(default_factory=dict)
    confidence: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
    correct: dict[str, np.ndarray] = field(default_factory=dict)
    examples: dict[str, Examples] = field(default_factory=dict)

    @property
    def main_score(self) -> str:
        """The first score of the run, which the summary and the figures show."""
        return self.results["rows"][0]["score"]

    @property
    def base_rate(self) -> float:
        """Anomalies per in-distribution example in the run's draws; the paper's where the run does not say."""
        return self.results.get("base_rate", 0.2)

    def main_scores(self) -> dict[str, dict[str, np.ndarray]]:
        """`{stage: {corpus: (examples,)}}` of the main score."""
        return {stage: scores[self.main_score] for stage, scores in self.scores.items() if self.main_score in scores}


def save_run(
    folder: str | os.PathLike, results: Mapping[str, OODResults], examples: Mapping[str, Examples] | None = None
) -> None:
    """Writes `ood_scores.npz` and, where there are examples, `ood_examples.npz`.

    Args:
        results: by stage, "baseline" and "oe".
        examples: by corpus, from `most_and_least_anomalous`.
    """
    arrays: dict[str, np.ndarray] = {}
    for stage, result in results.items():
        for score, by_corpus in result.scores.items():
            arrays |= {f"scores/{stage}/{score}/{corpus}": values for corpus, values in by_corpus.items()}
        arrays |= {f"confidence/{stage}/{corpus}": values for corpus, values in result.confidence.items()}
        if result.correct is not None:
            arrays[f"correct/{stage}"] = result.correct
    _write(Path(folder, SCORES), arrays)
    if examples:
        fields = {corpus: vars(example) for corpus, example in examples.items()}
        _write(
            Path(folder, EXAMPLES),
            {f"{name}/{corpus}": values for corpus, named in fields.items() for name, values in named.items()},
        )


def load_run(folder: str | os.PathLike) -> Run:
    """Reads what is there. Raises `FileNotFoundError` without `ood_results.json`, `ValueError` if it holds no rows."""
    folder = Path(folder)
    path = folder / RESULTS
    if not path.exists():
        raise FileNotFoundError(f"{str(folder)!r} holds no {RESULTS}: name the output folder of a finished run.")
    results = json.loads(path.read_text(encoding="utf-8"))
    if not results.get("rows"):
        raise ValueError(f"{str(path)!r} holds no rows: evaluate at least one corpus before asking for a report.")
    arrays: dict[str, Any] = {"scores": {}, "confidence": {}, "correct": {}}
    for key, values in _read(folder / SCORES):
        kind, *path_to = key.split("/", _DEPTH[key.split("/", 1)[0]])
        branch = arrays[kind]
        for name in path_to[:-1]:
            branch = branch.setdefault(name, {})
        branch[path_to[-1]] = values
    fields: dict[str, dict[str, np.ndarray]] = {}
    for key, values in _read(folder / EXAMPLES):
        name, corpus = key.split("/", 1)
        fields.setdefault(corpus, {})[name] = values
    return Run(folder, results, **arrays, examples={corpus: Examples(**named) for corpus, named in fields.items()})


def _write(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    with replacing(path) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, **arrays)


def _read(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    if path.exists():
        with np.load(path) as arrays:
            yield from arrays.items()
