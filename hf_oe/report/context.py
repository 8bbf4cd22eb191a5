"""Honest context of a run: what a reader must know before trusting its means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..calibration import base_rate_weights, rms_calibration_error
from ..data.probe import SEPARABLE, ShortcutProbe
from ..detection import precision_at_recall
from .figures import bar_rows
from .saved import Run
from .style import arrow, fpr_name, percent

BASE_RATES = (1.0, 0.2, 0.01, 0.001)
"""Anomalies per in-distribution example at which precision and calibration are stated; the paper tests at 0.2."""

_NOISE = 2.0
_SMALLEST_CHANGE = 0.001


@dataclass(frozen=True)
class Caution:
    """A warning of the report: what is wrong in a few words, and what it means."""

    title: str
    text: str


def cautions(run: Run) -> list[Caution]:
    """Every warning that holds for a run, the gravest first."""
    found = [_worse_corpora(run), _lost_accuracy(run), _better_without(run), _shortcut(run), _left_out(run)]
    return [caution for caution in found if caution is not None]


def first_and_last(results: Mapping[str, Any]) -> tuple[str, str]:
    """The stages that a run compares: without outliers, and with them. They are the same where there is only one."""
    stages = list(results["test_error"])
    return stages[0], stages[-1]


def worse_corpora(results: Mapping[str, Any]) -> dict[str, list[str]]:
    """The metrics of the first score that OE made worse, by corpus, where it is more than the noise of the draws.

    Noise is two standard deviations of the difference between a draw of either stage; changes of less than a tenth of
    a point do not count.
    """
    first, last = first_and_last(results)
    worse: dict[str, list[str]] = {}
    for corpus, rows in bar_rows(results).items():
        if rows.keys() >= {first, last}:
            for metric, better in (("fpr", -1), ("auroc", 1)):
                loss = better * (rows[first][metric] - rows[last][metric])
                noise = np.hypot(*(rows[stage].get(f"{metric}_std", 0.0) for stage in (first, last)))
                if loss > max(_NOISE * noise, _SMALLEST_CHANGE):
                    worse.setdefault(corpus, []).append(metric)
    return worse


def _worse_corpora(run: Run) -> Caution | None:
    rows = bar_rows(run.results)
    names = {"fpr": fpr_name(run.results["recall_level"]), "auroc": "AUROC"}
    told = [
        f"{corpus} ("
        + ", ".join(
            f"{names[metric]} {arrow(percent(rows[corpus][stage][metric]) for stage in first_and_last(run.results))}"
            for metric in metrics
        )
        + ")"
        for corpus, metrics in worse_corpora(run.results).items()
    ]
    if not told:
        return None
    number = f"{len(told)} of {len(rows)} corpora" if len(rows) > 1 else "the corpus"
    return Caution(
        f"Outlier Exposure made {number} worse, beyond the noise of the draws",
        f"{'; '.join(told)}. Anomalies of this kind are found less often than before.",
    )


def _lost_accuracy(run: Run) -> Caution | None:
    """Where the test error rose by two standard errors; of an unknown number of examples, by half a point."""
    first, last = first_and_last(run.results)
    before, after = run.results["test_error"][first], run.results["test_error"][last]
    if before is None or after is None:
        return None
    correct = run.correct.get(first)
    noise = 0.005 if correct is None else _NOISE * np.sqrt(max(before, 1 / len(correct)) / len(correct))
    if after - before <= noise:
        return None
    return Caution(
        f"The classifier lost {100 * (after - before):.2f} points of accuracy",
        f"Its test error rose from {percent(before)} to {percent(after)} %. A smaller outlier weight, a lower "
        "learning rate or training from scratch with outliers cost less.",
    )


def _better_without(run: Run) -> Caution | None:
    """Where a score of the un-exposed model is better on average than the exposed one's main score."""
    first, last = first_and_last(run.results)
    means = {(mean["stage"], mean["score"]): mean["auroc"] for mean in run.results["mean"]}
    exposed = means.get((last, run.main_score))
    without = {score: area for (stage, score), area in means.items() if stage == first}
    if exposed is None or first == last:
        return None
    best = max(without, key=without.get)
    if without[best] <= exposed + _SMALLEST_CHANGE:
        return None
    return Caution(
        f"Without outliers the score {best} is better",
        f"On the un-exposed model its mean AUROC is {percent(without[best])}; with Outlier Exposure {run.main_score} "
        f"has {percent(exposed)}.",
    )


def _shortcut(run: Run) -> Caution | None:
    probe = run.results.get("probe")
    if not probe:
        return None
    probe = ShortcutProbe(**probe)
    if not probe.separable:
        return None
    cue = max(probe.cues, key=probe.cues.get)
    return Caution(
        "Trivial cues alone tell the outliers from in-distribution examples",
        f"A tiny classifier of {cue} reaches an AUROC of {percent(probe.cues[cue])}, of all cues together "
        f"{percent(probe.auroc)} (warning from {percent(SEPARABLE)}). The model may have learnt such a cue: trust the "
        "figures of corpora that share it with the in-distribution set, or give it outliers that do.",
    )


def _left_out(run: Run) -> Caution | None:
    left_out = run.results.get("left_out")
    if not left_out:
        return None
    return Caution("Some test corpora could not be reached", f"The means are without {', '.join(left_out)}.")


def headline(results: Mapping[str, Any]) -> str:
    """What the run shows, in one or two sentences."""
    rows, score = bar_rows(results), results["rows"][0]["score"]
    rates = {mean["stage"]: mean["fpr"] for mean in results["mean"] if mean["score"] == score}
    threshold = f"at the threshold that finds {100 * results['recall_level']:g} % of the anomalies"
    first, last = first_and_last(results)
    if first == last or last not in rates:
        return f"{100 * rates[first]:.1f} % of normal inputs are false alarms {threshold}."
    better = sum(row[last]["auroc"] > row[first]["auroc"] for row in rows.values() if len(row) > 1)
    verb = "fall" if rates[last] < rates[first] else "rise"
    before, after = (f"{100 * rates[stage]:.1f} %" for stage in (first, last))
    return (
        f"With Outlier Exposure, false alarms {verb} from {before} to {after} of normal inputs, {threshold}. AUROC "
        f"rises on {better} of {len(rows)} test corpora."
    )


def at_base_rate(run: Run, base_rate: float) -> dict[str, dict[str, float]]:
    """Mean over the corpora of precision at the run's recall level and of RMS calibration error, by stage.

    Both are of all examples, weighted to `base_rate` anomalies per in-distribution example. Where no confidences were
    saved, there is no `rms`.
    """
    figures: dict[str, dict[str, float]] = {}
    for stage, scores in run.main_scores().items():
        normal, corpora = scores["in_distribution"], [name for name in scores if name != "in_distribution"]
        level = run.results["recall_level"]
        precisions = [precision_at_recall(normal, scores[corpus], level, base_rate) for corpus in corpora]
        figures[stage] = {"precision": float(np.mean(precisions))}
        if run.confidence.get(stage):
            figures[stage]["rms"] = float(np.mean([_weighted_rms(run, stage, name, base_rate) for name in corpora]))
    return figures


def _weighted_rms(run: Run, stage: str, corpus: str, base_rate: float) -> float:
    normal, anomalous = (run.confidence[stage][name] for name in ("in_distribution", corpus))
    correct = np.r_[run.correct[stage], np.zeros(len(anomalous), bool)]
    weights = base_rate_weights(len(normal), len(anomalous), base_rate)
    return rms_calibration_error(np.r_[normal, anomalous], correct, weights=weights)
