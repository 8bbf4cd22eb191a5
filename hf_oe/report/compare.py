"""Several runs side by side, those of one setting together, with deviation over seeds and over draws kept apart."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .saved import Run


@dataclass(frozen=True)
class Figure:
    """A figure of a group of runs, a fraction of 1.

    Attributes:
        mean: over the runs.
        over_seeds: sample standard deviation over the runs; `None` of a single one.
        over_draws: mean over the runs of their deviation over the draws of anomalies; `None` where none was measured.
    """

    mean: float
    over_seeds: float | None
    over_draws: float | None


@dataclass(frozen=True)
class RunGroup:
    """Runs of the same settings; `name` says how they differ from the other groups."""

    name: str
    runs: list[Run]

    @property
    def seeds(self) -> list[int]:
        return [run.results["seed"] for run in self.runs if "seed" in run.results]

    @property
    def score(self) -> str:
        return self.runs[0].main_score

    @property
    def corpora(self) -> list[str]:
        return list(dict.fromkeys(row["corpus"] for run in self.runs for row in run.results["rows"]))

    def figure(self, stage: str, corpus: str, metric: str) -> Figure | None:
        """Of the main score; `corpus` may be "mean". `None` unless every run has it."""
        rows = [_row(run, stage, self.score, corpus) for run in self.runs]
        if not all(rows):
            return None
        deviations = [row[f"{metric}_std"] for row in rows if f"{metric}_std" in row]
        return _figure([row[metric] for row in rows], float(np.mean(deviations)) if deviations else None)

    def test_error(self, stage: str) -> Figure | None:
        errors = [run.results["test_error"].get(stage) for run in self.runs]
        return None if None in errors else _figure(errors, None)


def group_runs(runs: Sequence[Run]) -> list[RunGroup]:
    """Groups runs of the same in-distribution set and settings, in the order given.

    A run that says nothing of its settings is a group of its own.
    """
    groups: dict[str, list[Run]] = {}
    for number, run in enumerate(runs):
        settings = run.results.get("settings")
        known = {"in_distribution": run.results["in_distribution"], **(settings or {"number": number})}
        groups.setdefault(json.dumps(known, sort_keys=True), []).append(run)
    differing = differing_settings([members[0] for members in groups.values()])
    return [RunGroup(_name(members, differing), members) for members in groups.values()]


def differing_settings(runs: Sequence[Run]) -> dict[str, list[Any]]:
    """`{setting: its value in each run}` of the settings that are not the same in all; `None` where it is not set."""
    settings = [
        {"in_distribution": run.results["in_distribution"], **(run.results.get("settings") or {})} for run in runs
    ]
    values = {name: [known.get(name) for known in settings] for name in dict.fromkeys(n for s in settings for n in s)}
    return {name: column for name, column in values.items() if any(value != column[0] for value in column)}


def _name(members: Sequence[Run], differing: dict[str, list[Any]]) -> str:
    """The differing settings if they are few enough to read, else the folders."""
    known = {"in_distribution": members[0].results["in_distribution"], **(members[0].results.get("settings") or {})}
    if 0 < len(differing) <= 3 and members[0].results.get("settings"):
        return ", ".join(f"{name} {known.get(name)}" for name in differing)
    return ", ".join(run.folder.resolve().name for run in members)


def _row(run: Run, stage: str, score: str, corpus: str) -> dict[str, Any] | None:
    rows = [{"corpus": "mean", **mean} for mean in run.results["mean"]] + run.results["rows"]
    wanted = (stage, score, corpus)
    return next((row for row in rows if (row["stage"], row["score"], row["corpus"]) == wanted), None)


def _figure(values: Sequence[float], over_draws: float | None) -> Figure:
    over_seeds = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return Figure(float(np.mean(values)), over_seeds, over_draws)
