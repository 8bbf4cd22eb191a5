"""Figures of a run as PNG or SVG files.

Matplotlib is loaded when something is drawn; `ImportError` tells how to install it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ..files import replacing
from ..suite import ERROR_DETECTION
from .panels import Panels, histogram_panels, precision_recall_panels, reliability_panels, roc_panels
from .style import INK, STAGES, Scores, fpr_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def plot_roc(scores: Scores, path: str | os.PathLike) -> None:
    """Saves `roc_panels`. `scores` holds `OODResults.scores[score]` of each stage; `path` ends in .png or .svg."""
    save_panels(roc_panels(scores), path)


def plot_precision_recall(scores: Scores, path: str | os.PathLike, base_rate: float = 0.2) -> None:
    """Saves `precision_recall_panels`."""
    save_panels(precision_recall_panels(scores, base_rate), path)


def plot_histograms(scores: Scores, path: str | os.PathLike) -> None:
    """Saves `histogram_panels`."""
    save_panels(histogram_panels(scores), path)


def plot_reliability(confidence: Scores, correct: Mapping[str, ArrayLike], path: str | os.PathLike) -> None:
    """Saves `reliability_panels`."""
    save_panels(reliability_panels(confidence, correct), path)


def plot_bars(results: Mapping[str, Any], path: str | os.PathLike) -> None:
    """A bar for each corpus and stage: false-positive rate and AUROC of the first score, with deviation over draws."""
    suffix = _checked_suffix(path)
    with figure_style():
        figure = new_figure(8, 1.2 + 0.42 * len(bar_rows(results)))
        for axes, metric in zip(figure.subplots(1, 2), ("fpr", "auroc"), strict=True):
            draw_bars(axes, results, metric)
        _key(figure, [stage for stage in STAGES if stage in results["test_error"]])
        _save(figure, path, suffix)


def draw_bars(axes: Axes, results: Mapping[str, Any], metric: str) -> None:
    """Horizontal bars of one metric of the first score, in percent; whiskers are a deviation over the draws."""
    corpora = bar_rows(results)
    stages = [stage for stage in STAGES if any(stage in rows for rows in corpora.values())]
    height = 0.8 / len(stages)
    for place, stage in enumerate(stages):
        rows = [by_stage.get(stage, {}) for by_stage in corpora.values()]
        values = [100 * row.get(metric, np.nan) for row in rows]
        whiskers = [100 * row.get(f"{metric}_std", 0.0) for row in rows]
        centres = np.arange(len(corpora)) + (place - (len(stages) - 1) / 2) * height
        errors = {"ecolor": INK, "error_kw": {"elinewidth": 0.7}}
        axes.barh(centres, values, 0.9 * height, xerr=whiskers, color=STAGES[stage][1], **errors)
    axes.set_yticks(np.arange(len(corpora)), list(corpora), parse_math=False)
    axes.invert_yaxis()
    axes.set(xlim=(0, 100))
    axes.set_title(fpr_name(results["recall_level"]) + " ↓" if metric == "fpr" else f"{metric.upper()} ↑", fontsize=9)
    _bare(axes)


def bar_rows(results: Mapping[str, Any]) -> dict[str, dict[str, Mapping[str, Any]]]:
    """`{corpus: {stage: row}}` of the first score."""
    score = results["rows"][0]["score"]
    corpora: dict[str, dict[str, Mapping[str, Any]]] = {}
    for row in results["rows"]:
        if row["score"] == score and row["corpus"] != ERROR_DETECTION:
            corpora.setdefault(row["corpus"], {})[row["stage"]] = row
    return corpora


def plot_heat_maps(
    images: ArrayLike,
    maps: ArrayLike,
    path: str | os.PathLike,
    titles: Sequence[str] = (),
    unit: str = "bits per pixel",
) -> None:
    """Images above their per-pixel anomaly scores, all on one scale (Figure 2 of the paper).

    Args:
        images: uint8 `(images, channels, height, width)`, grey or colour.
        maps: float `(images, height, width)`, higher for more anomalous, such as a density model's bits per pixel.
        path: ends in .png or .svg.
        titles: one an image, if given.
        unit: of `maps`, beside the scale.
    """
    images, maps = np.asarray(images), np.asarray(maps, float)
    if images.ndim != 4 or images.shape[1] not in (1, 3) or maps.shape != images[:, 0].shape or len(images) == 0:
        raise ValueError(
            "`images` must have the shape (images, channels, height, width), grey or colour, and `maps` (images, "
            f"height, width), got {images.shape} and {maps.shape}."
        )
    if titles and len(titles) != len(images):
        raise ValueError(f"`titles` must be as many as the {len(images)} images, got {len(titles)}.")
    suffix = _checked_suffix(path)
    with figure_style():
        figure = new_figure(1.5 * len(images) + 0.9, 3.2)
        grid = figure.subplots(2, len(images), squeeze=False)
        scale = {"vmin": maps.min(), "vmax": maps.max(), "cmap": "inferno"}
        for column, (image, values) in enumerate(zip(images, maps, strict=True)):
            grid[0, column].imshow(image.transpose(1, 2, 0).squeeze(), cmap="gray", vmin=0, vmax=255)
            shown = grid[1, column].imshow(values, **scale)
            if titles:
                grid[0, column].set_title(titles[column], fontsize=9, parse_math=False)
        for axes in grid.ravel():
            axes.set_axis_off()
        figure.colorbar(shown, ax=grid[1, :].tolist(), label=unit, shrink=0.9)
        _save(figure, path, suffix)


# ---- Drawing ----


def figure_style() -> AbstractContextManager:
    """Matplotlib's settings for every figure: one ink, which a page can replace, and text that stays text in SVG."""
    try:
        from matplotlib import rc_context
    except ModuleNotFoundError as error:
        raise ImportError("Figures need matplotlib: install it with `pip install hf_oe[plots]`.") from error
    inked = ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color")
    sizes = {"font.size": 9, "xtick.labelsize": 8, "ytick.labelsize": 8}
    return rc_context({**dict.fromkeys(inked, INK), **sizes, "svg.fonttype": "none", "svg.hashsalt": "hf_oe"})


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, in inches, that belongs to no window."""
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise ImportError("Figures need matplotlib: install it with `pip install hf_oe[plots]`.") from error
    return Figure(figsize=(width, height), layout="constrained")


def save_panels(panels: Panels, path: str | os.PathLike) -> None:
    """Draws all panels into one file; it is written beside its place and renamed."""
    suffix = _checked_suffix(path)
    across = min(4, len(panels.corpora))
    down = -(-len(panels.corpora) // across)
    with figure_style():
        figure = new_figure(max(4, 2.5 * across), 2.7 * down + 0.4)
        grid = figure.subplots(down, across, squeeze=False).ravel()
        for axes, corpus in zip(grid, panels.corpora, strict=False):
            axes.set_title(f"{corpus}\n{panels.note(corpus)}", fontsize=10, parse_math=False)
            draw_panel(axes, panels, corpus)
        for axes in grid[len(panels.corpora) :]:
            axes.remove()
        figure.supxlabel(panels.x_name, fontsize=10)
        figure.supylabel(panels.y_name, fontsize=10)
        _key(figure, panels.stages)
        _save(figure, path, suffix)


def draw_panel(axes: Axes, panels: Panels, corpus: str) -> None:
    _bare(axes)
    panels.draw(axes, corpus)


def _key(figure: Figure, stages: Sequence[str]) -> None:
    """The colours of the stages, beside the panels."""
    from matplotlib.patches import Patch

    patches = [Patch(color=colour, label=label) for label, colour in (STAGES[stage] for stage in stages)]
    figure.legend(handles=patches, loc="outside upper right", ncols=len(patches), frameon=False, fontsize=10)


def _save(figure: Figure, path: str | os.PathLike, suffix: str) -> None:
    with replacing(path) as temporary:
        figure.savefig(temporary, format=suffix[1:], dpi=150)


def _checked_suffix(path: str | os.PathLike) -> str:
    suffix = Path(path).suffix
    if suffix not in (".png", ".svg"):
        raise ValueError(f"`path` must end in .png or .svg, got {str(path)!r}.")
    return suffix


def _bare(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
