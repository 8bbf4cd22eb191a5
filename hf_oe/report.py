"""A run's results for people: the table of before and after, ROC curves and score histograms."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .detection import auroc, roc_curve
from .published import PublishedTable
from .suite import ERROR_DETECTION

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Scores = Mapping[str, Mapping[str, np.ndarray]]
"""`{stage: {"in_distribution": (n,), corpus: (m,)}}`, higher for more anomalous."""

STAGES = {"baseline": ("Baseline", "#9a6a00"), "oe": ("+ OE", "#0b5fa5")}
"""Label and colour of each stage, the same in every figure."""


# ---- Table ----


def results_table(results: Mapping[str, Any], published: PublishedTable | None = None) -> str:
    """Markdown tables of a run, in percent, each cell `baseline → OE`.

    Args:
        results: what `ood_results.json` holds.
        published: figures to set beside those of the score `msp`.
    """
    level = results["recall_level"]
    paper_level = published.recall_level if published else level
    levels = list(dict.fromkeys([level, paper_level]))
    lines = [f"## Anomaly detection, in-distribution: {results['in_distribution']}", ""]
    for score in dict.fromkeys(row["score"] for row in results["rows"]):
        beside = published.to_dict() if published and score == "msp" else {}
        lines += _score_table(results, score, levels, paper_level, beside) + [""]
    if published:
        lines.append(
            f"Published figures: {published.source}; their outliers and test images were others than this run's."
        )
    errors = " → ".join(_percent(error, 2) for error in results["test_error"].values() if error is not None)
    lines.append(f"Test error: {errors} %. Mean over {results['trials']} draws of anomalies, ± standard deviation.")
    if results.get("left_out"):
        lines.append(f"Left out, since they could not be reached: {', '.join(results['left_out'])}.")
    return "\n".join(lines) + "\n"


def _score_table(
    results: Mapping[str, Any], score: str, levels: list[float], paper_level: float, beside: Mapping[str, Any]
) -> list[str]:
    rows = [row for row in results["rows"] if row["score"] == score]
    means = [{**mean, "corpus": "mean"} for mean in results["mean"] if mean["score"] == score]
    metrics: list[tuple[str, Callable[[dict], float]]] = [
        (f"FPR{100 * level:g} ↓", lambda row, level=level: row["fpr_at"][f"{level:g}"]) for level in levels
    ]
    metrics += [("AUROC ↑", lambda row: row["auroc"]), ("AUPR ↑", lambda row: row["aupr"])]
    names = [name for name, _ in metrics]
    if beside:
        names += [f"published FPR{100 * paper_level:g}", "published AUROC", "published AUPR"]
    lines = [f"Score: `{score}`", "", f"| Corpus | {' | '.join(names)} |", "| --- |" + " ---: |" * len(names)]
    corpora = [c for c in dict.fromkeys(row["corpus"] for row in rows) if c != ERROR_DETECTION]
    for corpus in [*corpora, "mean", ERROR_DETECTION]:
        stages = [row for row in [*rows, *means] if row["corpus"] == corpus]
        if not stages:
            continue
        cells = [" → ".join(_figure(row, name, value) for row in stages) for name, value in metrics]
        if beside:
            cells += [
                " → ".join(_percent(stage[metric]) for stage in beside[corpus].values()) if corpus in beside else "–"
                for metric in ("fpr", "auroc", "aupr")
            ]
        label = {"mean": "**Mean**", ERROR_DETECTION: "*(wrong against right predictions)*"}.get(corpus, corpus)
        lines.append(f"| {label} | {' | '.join(cells)} |")
    return lines


def _figure(row: Mapping[str, Any], name: str, value: Callable[[dict], float]) -> str:
    deviation = row.get({"AUROC ↑": "auroc_std", "AUPR ↑": "aupr_std"}.get(name, "fpr_std"), 0.0)
    is_other_level = name.startswith("FPR") and value(row) != row["fpr"]
    return _percent(value(row)) + (f" ± {_percent(deviation)}" if deviation and not is_other_level else "")


def _percent(fraction: float, digits: int = 1) -> str:
    return f"{100 * fraction:.{digits}f}"


# ---- Figures ----


def plot_roc(scores: Scores, path: str | os.PathLike) -> None:
    """ROC curves, baseline against OE, one panel a corpus (Figure 1 of the paper), as PNG or SVG by the suffix."""

    def draw(axes: Axes, corpus: str) -> None:
        for stage, (label, colour) in _stages(scores):
            normal, anomalous = scores[stage]["in_distribution"], scores[stage][corpus]
            fpr, tpr, _ = roc_curve(normal, anomalous)
            points = np.linspace(0, 1, 400) ** 2  # dense at low rates, where a detector is used
            area = 100 * auroc(normal, anomalous)
            axes.plot(points, np.interp(points, fpr, tpr), color=colour, label=f"{label}, AUROC {area:.1f}")
        axes.plot([0, 1], [0, 1], color="0.75", linewidth=0.8, linestyle=":")
        axes.set(xlim=(-0.01, 1), ylim=(0, 1.01), xlabel="False-positive rate", ylabel="Recall of anomalies")
        axes.legend(loc="lower right", fontsize=8, frameon=False)

    _save_panels(scores, draw, path)


def plot_histograms(scores: Scores, path: str | os.PathLike) -> None:
    """Scores of in-distribution examples and of anomalies, one panel a corpus; the baseline's as outlines."""
    pooled = np.concatenate([values for stage in scores.values() for values in stage.values()])
    bins = np.linspace(*np.quantile(pooled, [0.001, 0.999]), 50)

    def draw(axes: Axes, corpus: str) -> None:
        for stage, (label, _) in _stages(scores):
            style = {"histtype": "stepfilled", "alpha": 0.5} if stage == "oe" else {"histtype": "step"}
            for name, colour, kind in (
                ("in_distribution", "#4a4a4a", "in-distribution"),
                (corpus, "#c1361f", "anomalies"),
            ):
                values = np.clip(scores[stage][name], bins[0], bins[-1])
                weights = np.full(len(values), 1 / len(values))
                axes.hist(values, bins, weights=weights, color=colour, label=f"{label}, {kind}", **style)
        axes.set(yscale="log", xlabel="Anomaly score", ylabel="Share of examples")
        axes.legend(fontsize=7, frameon=False)

    _save_panels(scores, draw, path)


def _stages(scores: Scores) -> list[tuple[str, tuple[str, str]]]:
    return [(stage, STAGES[stage]) for stage in scores]


def _save_panels(scores: Scores, draw: Callable[[Axes, str], None], path: str | os.PathLike) -> None:
    """A grid of panels, one a corpus, written beside its place and renamed."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("Figures need matplotlib: install it with `pip install hf_oe[plots]`.") from error
    corpora = [name for name in next(iter(scores.values())) if name != "in_distribution"]
    columns = min(4, len(corpora))
    rows = math.ceil(len(corpora) / columns)
    figure = Figure(figsize=(3.6 * columns, 3.2 * rows), dpi=110, layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).flat
    for axes, corpus in zip(panels, corpora, strict=False):
        draw(axes, corpus)
        axes.set_title(corpus, fontsize=10)
        axes.spines[["top", "right"]].set_visible(False)
    for axes in list(figure.axes)[len(corpora) :]:
        axes.set_visible(False)
    suffix = os.path.splitext(path)[1]
    temporary = f"{path}.tmp{suffix}"
    figure.savefig(temporary)
    os.replace(temporary, path)
