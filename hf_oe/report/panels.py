"""Figures of one panel a corpus, described once: how each panel is drawn, and what its title says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from ..calibration import base_rate_weights, reliability_bins, rms_calibration_error
from ..detection import auroc, precision_recall_curve, roc_curve
from .style import INK, NORMAL_COLOUR, STAGES, Scores, arrow

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Panels:
    """A figure of one panel a corpus.

    Attributes:
        corpora: in order.
        stages: that are drawn.
        draw: draws a corpus into its axes.
        note: says its main figure, for the title.
        x_name, y_name: of the axes, the same for all panels.
    """

    corpora: list[str]
    stages: list[str]
    draw: Callable[[Axes, str], None]
    note: Callable[[str], str]
    x_name: str
    y_name: str


def roc_panels(scores: Scores) -> Panels:
    """ROC curves, baseline against OE (Figure 1 of the paper)."""

    def draw(axes: Axes, corpus: str) -> None:
        axes.plot([0, 1], [0, 1], color=NORMAL_COLOUR, linewidth=0.8, linestyle=":")
        for stage, by_corpus in scores.items():
            fpr, tpr, _ = roc_curve(by_corpus["in_distribution"], by_corpus[corpus])
            axes.plot(*_thinned(fpr, tpr), color=STAGES[stage][1], linewidth=1.6, clip_on=False)
        _unit_square(axes)

    return Panels(
        _corpora(scores), list(scores), draw, _auroc_note(scores), "False-positive rate", "Recall of anomalies"
    )


def precision_recall_panels(scores: Scores, base_rate: float = 0.2) -> Panels:
    """Precision-recall curves with both classes weighted to `base_rate` anomalies per in-distribution example."""

    def draw(axes: Axes, corpus: str) -> None:
        axes.axhline(base_rate / (1 + base_rate), color=NORMAL_COLOUR, linewidth=0.8, linestyle=":")
        for stage, by_corpus in scores.items():
            precision, recall = precision_recall_curve(by_corpus["in_distribution"], by_corpus[corpus], base_rate)
            axes.plot(*_thinned(recall[::-1], precision[::-1]), color=STAGES[stage][1], linewidth=1.6, clip_on=False)
        _unit_square(axes)

    def note(corpus: str) -> str:
        areas = (_average_precision(by["in_distribution"], by[corpus], base_rate) for by in scores.values())
        return f"AUPR {arrow(f'{100 * area:.1f}' for area in areas)}"

    return Panels(_corpora(scores), list(scores), draw, note, "Recall of anomalies", "Precision")


def histogram_panels(scores: Scores) -> Panels:
    """Histograms of scores: those of the last stage, with OE, downwards, those without upwards.

    In-distribution scores are filled, those of anomalies outlined.
    """
    pooled = np.concatenate([np.asarray(values, float) for stage in scores.values() for values in stage.values()])
    finite = pooled[np.isfinite(pooled)]
    edges = np.histogram_bin_edges(finite, 40, tuple(np.quantile(finite, [0.001, 0.999])))

    def draw(axes: Axes, corpus: str) -> None:
        for stage, by_corpus in scores.items():
            sign = -1 if len(scores) > 1 and stage == list(scores)[-1] else 1
            normal, anomalous = (sign * _heights(by_corpus[name], edges) for name in ("in_distribution", corpus))
            axes.stairs(normal, edges, fill=True, color=NORMAL_COLOUR)
            axes.stairs(anomalous, edges, color=STAGES[stage][1], linewidth=1.4)
        axes.axhline(0, color=INK, linewidth=0.7)
        axes.set(ylim=(-1.05, 1.05), yticks=())
        axes.spines["left"].set_visible(False)
        axes.locator_params(axis="x", nbins=4)

    names = ("Anomaly score (filled: in-distribution)", "Share of examples, square root")
    return Panels(_corpora(scores), list(scores), draw, _auroc_note(scores), *names)


def reliability_panels(confidence: Scores, correct: Mapping[str, ArrayLike]) -> Panels:
    """Reliability diagrams of test examples and equally many anomalies, by weight (section 4.4).

    Args:
        confidence: of each stage, `OODResults.confidence`.
        correct: of each stage, `OODResults.correct`; an anomaly is never right.
    """

    def pool(stage: str, corpus: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        normal, anomalous = (np.asarray(confidence[stage][name]) for name in ("in_distribution", corpus))
        right = np.r_[np.asarray(correct[stage], bool), np.zeros(len(anomalous), bool)]
        return np.r_[normal, anomalous], right, base_rate_weights(len(normal), len(anomalous), 1.0)

    def draw(axes: Axes, corpus: str) -> None:
        axes.plot([0, 1], [0, 1], color=NORMAL_COLOUR, linewidth=0.8, linestyle=":")
        for stage in confidence:
            stated, right, weights = pool(stage, corpus)
            mean, accuracy, _ = reliability_bins(stated, right, max(1, len(stated) // 12), weights)
            axes.plot(mean, accuracy, color=STAGES[stage][1], linewidth=1.2, marker="o", markersize=2.5, clip_on=False)
        _unit_square(axes)

    def note(corpus: str) -> str:
        errors = [
            rms_calibration_error(*pool(stage, corpus)[:2], weights=pool(stage, corpus)[2]) for stage in confidence
        ]
        return f"RMS error {arrow(f'{100 * error:.1f}' for error in errors)}"

    return Panels(_corpora(confidence), list(confidence), draw, note, "Confidence", "Accuracy")


# ---- Drawing ----


def _unit_square(axes: Axes) -> None:
    axes.set(xlim=(0, 1), ylim=(0, 1), xticks=(0, 0.5, 1), yticks=(0, 0.5, 1), aspect="equal")


def _corpora(scores: Scores) -> list[str]:
    return [name for name in next(iter(scores.values())) if name != "in_distribution"]


def _auroc_note(scores: Scores) -> Callable[[str], str]:
    def note(corpus: str) -> str:
        areas = (auroc(stage["in_distribution"], stage[corpus]) for stage in scores.values())
        return f"AUROC {arrow(f'{100 * area:.1f}' for area in areas)}"

    return note


def _average_precision(in_scores: ArrayLike, out_scores: ArrayLike, base_rate: float) -> float:
    precision, recall = precision_recall_curve(in_scores, out_scores, base_rate)
    return float(precision @ -np.diff(recall, append=0))


def _heights(values: ArrayLike, edges: np.ndarray) -> np.ndarray:
    """The square root of each bin's share, which keeps small bins visible beside the peak of sure predictions."""
    counts, _ = np.histogram(np.clip(np.asarray(values, float), edges[0], edges[-1]), edges)
    return np.sqrt(counts / counts.sum())


def _thinned(x: np.ndarray, y: np.ndarray, points: int = 300) -> tuple[np.ndarray, np.ndarray]:
    """At most `points` of a curve's points, evenly spread along its length, so that the file stays small."""
    along = np.r_[0, np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))]
    kept = np.unique(np.searchsorted(along, np.linspace(0, along[-1], points)).clip(max=len(x) - 1))
    return x[kept], y[kept]
