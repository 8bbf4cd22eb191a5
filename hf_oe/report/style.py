"""What every table and figure of a report shares: names, colours, and how a figure is printed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from numpy.typing import ArrayLike

Scores = Mapping[str, Mapping[str, ArrayLike]]
"""`{stage: {"in_distribution": (n,), corpus: (m,)}}`, higher for more anomalous."""

STAGES = {"baseline": ("baseline", "#c7611c"), "gan": ("GAN", "#8a3fa0"), "oe": ("OE", "#1f5fae")}
"""Label and colour of each stage, the same in every table and figure."""

INK, NORMAL_COLOUR = "#2b3138", "#aab0b7"
"""Of text and axes, and of in-distribution examples."""


def percent(figure: float | None, deviation: float | None = None) -> str:
    if figure is None:
        return "–"
    return f"{100 * figure:.2f}" + ("" if deviation is None else f" ± {100 * deviation:.2f}")


def arrow(cells: Iterable[str]) -> str:
    return " → ".join(cells)


def fpr_name(recall_level: float) -> str:
    return f"FPR{100 * recall_level:g}"
