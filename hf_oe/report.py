"""A run's results for people: the table of before and after, ROC curves and score histograms."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from .detection import auroc, roc_curve
from .files import replacing
from .published import PublishedTable
from .suite import ERROR_DETECTION

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Scores = Mapping[str, Mapping[str, ArrayLike]]
"""`{stage: {"in_distribution": (n,), corpus: (m,)}}`, higher for more anomalous."""

STAGES = {"baseline": ("baseline", "#c7611c"), "oe": ("OE", "#1f5fae")}
"""Label and colour of each stage, the same in every table and figure."""

_NORMAL_COLOUR = "#aab0b7"


# ---- Table ----


def results_table(results: Mapping[str, Any], published: PublishedTable | None = None) -> str:
    """Markdown tables of a run, in percent, each cell `baseline → OE`; a dash stands where there is no figure.

    Args:
        results: what `ood_results.json` holds, and in `left_out` the corpora that could not be reached, if any.
        published: figures to set beside those of the score `msp`, as printed in the source.
    """
    if not results["rows"]:
        raise ValueError("`results` holds no rows: evaluate at least one corpus before asking for its table.")
    rows = [*results["rows"], *({**mean, "corpus": "mean"} for mean in results["mean"])]
    rows += [{**mean, "corpus": _group_name(mean)} for mean in results.get("group_mean", ())]
    scores = list(dict.fromkeys(row["score"] for row in rows))
    corpora = [name for name in dict.fromkeys(row["corpus"] for row in rows) if name != ERROR_DETECTION]
    metrics = _metrics(results)
    parts = [f"## Anomaly detection, in-distribution: {results['in_distribution']}", _caption(results)]
    for score in scores:
        beside = published if score == "msp" else None
        lines = [
            ["**Mean**" if corpus == "mean" else corpus, *_cells(rows, score, corpus, metrics)]
            + (_published_cells(beside, corpus) if beside else [])
            for corpus in corpora
        ]
        header = ["Corpus", *(name for name, _ in metrics)]
        if beside:
            header += [f"published {name}" for name in (_fpr_name(beside.recall_level), "AUROC", "AUPR")]
        scored = [stage for stage in STAGES if any((row["stage"], row["score"]) == (stage, score) for row in rows)]
        only = "" if set(scored) == set(results["test_error"]) else f", {STAGES[scored[0]][0]} only"
        parts += [f"Score: `{score}`{only}", _markdown(header, lines)]
    if published:
        compared = published.mean_over or ", ".join(name for name in published.rows if name != "mean")
        parts.append(f"Published: {published.source}, with other outliers; the mean is over {compared}.")
    if results.get("left_out"):
        parts.append(f"Left out, since they could not be reached: {', '.join(results['left_out'])}.")
    if any(row["corpus"] == ERROR_DETECTION for row in rows):
        parts += [
            "Error detection: wrong against right predictions on the in-distribution test set.",
            _markdown(
                ["Score", *(name for name, _ in metrics)],
                [[f"`{score}`", *_cells(rows, score, ERROR_DETECTION, metrics)] for score in scores],
            ),
        ]
    if results.get("calibration"):
        parts += [
            "Calibration on test examples and equally many anomalies, mean over the corpora, with the temperature of "
            "held-out training examples.",
            _calibration_table(results["calibration"]),
        ]
    return "\n\n".join(parts) + "\n"


def _calibration_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """As Table 7: a line for each stage, without and with 0-1 posterior rescaling."""
    lines = []
    for stage, rescaled in dict.fromkeys((row["stage"], row["rescaled"]) for row in rows):
        chosen = [row for row in rows if (row["stage"], row["rescaled"]) == (stage, rescaled)]
        means = [float(np.mean([row[metric] for row in chosen])) for metric in ("rms", "mav", "soft_f1")]
        lines.append([STAGES[stage][0] + (", 0-1 rescaled" if rescaled else ""), *map(_percent, means)])
    return _markdown(["", "RMS error", "MAV error", "Soft F1"], lines)


def _group_name(mean: Mapping[str, Any]) -> str:
    return f"Mean of {mean['group']}: {', '.join(mean['corpora'])}"


def _fpr_name(recall_level: float) -> str:
    return f"FPR{100 * recall_level:g}"


def _metrics(results: Mapping[str, Any]) -> list[tuple[str, Callable[[Mapping], tuple[float | None, float | None]]]]:
    """Each column's name and how to get (figure, deviation) from a row; further recall levels have no deviation."""
    level = results["recall_level"]
    further = [key for key in results["rows"][0].get("fpr_at", {}) if float(key) != level]
    return [
        (_fpr_name(level), lambda row: (row["fpr"], row.get("fpr_std"))),
        *((_fpr_name(float(key)), lambda row, key=key: (row.get("fpr_at", {}).get(key), None)) for key in further),
        ("AUROC", lambda row: (row["auroc"], row.get("auroc_std"))),
        ("AUPR", lambda row: (row["aupr"], row.get("aupr_std"))),
    ]


def _cells(rows: Sequence[Mapping], score: str, corpus: str, metrics: Sequence[tuple[str, Callable]]) -> list[str]:
    by_stage = {row["stage"]: row for row in rows if (row["score"], row["corpus"]) == (score, corpus)}
    stages = [stage for stage in STAGES if any((row["stage"], row["score"]) == (stage, score) for row in rows)]
    cells = []
    for _, metric in metrics:
        figures = [metric(by_stage[stage]) if stage in by_stage else (None, None) for stage in stages]
        if corpus == ERROR_DETECTION:  # measured once, not drawn
            figures = [(figure, None) for figure, _ in figures]
        cells.append(_arrow(_percent(*figure) for figure in figures))
    return cells


def _published_cells(published: PublishedTable, corpus: str) -> list[str]:
    if corpus not in published.rows:
        return ["–"] * 3
    return [
        _arrow("–" if figure is None else str(figure) for figure in figures)
        for figures in zip(*published.rows[corpus], strict=True)
    ]


def _percent(figure: float | None, deviation: float | None = None) -> str:
    if figure is None:
        return "–"
    return f"{100 * figure:.2f}" + ("" if deviation is None else f" ± {100 * deviation:.2f}")


def _arrow(cells: Iterable[str]) -> str:
    return " → ".join(cells)


def _caption(results: Mapping[str, Any]) -> str:
    stages = _arrow(STAGES[stage][0] for stage in results["test_error"])
    caption = f"In percent, {stages}, mean ± standard deviation over {results['trials']} draws of anomalies."
    errors = results["test_error"].values()
    known = any(error is not None for error in errors)
    return f"{caption} Test error: {_arrow(map(_percent, errors))}." if known else caption


def _markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table with padded cells, to be read on a terminal, too."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    lines = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in (header, rule, *rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


# ---- Figures ----


def plot_roc(scores: Scores, path: str | os.PathLike) -> None:
    """ROC curves, baseline against OE, one panel a corpus (Figure 1 of the paper).

    Args:
        scores: of each stage, `OODResults.scores[score]`.
        path: ends in .png or .svg.

    Raises `ImportError` without matplotlib.
    """

    def draw(axes: Axes, corpus: str) -> None:
        for line, (stage, by_corpus) in enumerate(scores.items()):
            label, colour = STAGES[stage]
            fpr, tpr, _ = roc_curve(by_corpus["in_distribution"], by_corpus[corpus])
            axes.plot(*_thinned(fpr, tpr), color=colour, linewidth=1.8, clip_on=False)
            _label(axes, label, colour, 0.82, 0.17 - 0.11 * line)
        axes.plot([0, 1], [0, 1], color=_NORMAL_COLOUR, linewidth=0.8, linestyle=":")
        axes.set(xlim=(0, 1), ylim=(0, 1), xticks=(0, 0.5, 1), yticks=(0, 0.5, 1), aspect="equal")

    _save_panels(scores, draw, path, ("False-positive rate", "Recall of anomalies"))


def plot_histograms(scores: Scores, path: str | os.PathLike) -> None:
    """Histograms of scores, one panel a corpus: the baseline's upwards, those with OE downwards.

    In-distribution scores are filled, those of anomalies outlined. The arguments are those of `plot_roc`.
    """
    pooled = np.concatenate([np.asarray(values, float) for stage in scores.values() for values in stage.values()])
    finite = pooled[np.isfinite(pooled)]
    edges = np.histogram_bin_edges(finite, 40, tuple(np.quantile(finite, [0.001, 0.999])))

    def draw(axes: Axes, corpus: str) -> None:
        for stage, by_corpus in scores.items():
            label, colour = STAGES[stage]
            sign = -1 if stage == "oe" else 1
            normal, anomalous = (sign * _heights(by_corpus[name], edges) for name in ("in_distribution", corpus))
            axes.stairs(normal, edges, fill=True, color=_NORMAL_COLOUR)
            axes.stairs(anomalous, edges, color=colour, linewidth=1.6)
            _label(axes, label, colour, 0.5, 0.5 + 0.38 * sign)
        axes.axhline(0, color="0.2", linewidth=0.7)
        axes.set(ylim=(-1.05, 1.05), yticks=())
        axes.spines["left"].set_visible(False)

    _save_panels(scores, draw, path, ("Anomaly score (filled: in-distribution)", "Share of examples, square root"))


def _heights(values: ArrayLike, edges: np.ndarray) -> np.ndarray:
    """The square root of each bin's share, which keeps small bins visible beside the peak of sure predictions."""
    counts, _ = np.histogram(np.clip(np.asarray(values, float), edges[0], edges[-1]), edges)
    return np.sqrt(counts / counts.sum())


def _thinned(fpr: np.ndarray, tpr: np.ndarray, points: int = 500) -> tuple[np.ndarray, np.ndarray]:
    """At most `points` of a ROC curve's points, evenly spread along it, so that the file stays small."""
    kept = np.unique(np.searchsorted(fpr + tpr, np.linspace(0, 2, points)).clip(max=len(fpr) - 1))
    return fpr[kept], tpr[kept]


def _label(axes: Axes, text: str, colour: str, x: float, y: float) -> None:
    place = {"transform": axes.transAxes, "ha": "center", "va": "center"}
    axes.text(x, y, text, color=colour, fontsize=10, fontweight="bold", **place)


def _save_panels(
    scores: Scores, draw: Callable[[Axes, str], None], path: str | os.PathLike, axis_names: tuple[str, str]
) -> None:
    """Draws one panel a corpus, its AUROC in the title; the file is written beside its place and renamed."""
    path = Path(path)
    if path.suffix not in (".png", ".svg"):
        raise ValueError(f"`path` must end in .png or .svg, got {str(path)!r}.")
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise ImportError("Figures need matplotlib: install it with `pip install hf_oe[plots]`.") from error
    corpora = [name for name in next(iter(scores.values())) if name != "in_distribution"]
    across = min(4, len(corpora))
    down = -(-len(corpora) // across)
    figure = Figure(figsize=(max(4, 2.5 * across), 2.7 * down + 0.4), layout="constrained")
    panels = figure.subplots(down, across, squeeze=False).ravel()
    for axes, corpus in zip(panels, corpora, strict=False):
        areas = (f"{100 * auroc(stage['in_distribution'], stage[corpus]):.1f}" for stage in scores.values())
        axes.set_title(f"{corpus}\nAUROC {_arrow(areas)}", fontsize=10)
        axes.tick_params(labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
        draw(axes, corpus)
    for axes in panels[len(corpora) :]:
        axes.remove()
    figure.supxlabel(axis_names[0], fontsize=10)
    figure.supylabel(axis_names[1], fontsize=10)
    with replacing(path) as temporary:
        figure.savefig(temporary, format=path.suffix[1:], dpi=150)
