"""The report as one HTML file that asks nothing of any other place: of a run, or of several side by side."""

from __future__ import annotations

import base64
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ..files import replacing
from . import page_tables as tables
from .compare import group_runs
from .context import cautions, headline
from .figures import bar_rows, draw_bars, figure_style, new_figure
from .inline import figure_svg, panel_svg, picture_uri
from .panels import Panels, histogram_panels, precision_recall_panels, reliability_panels, roc_panels
from .saved import Run, load_run
from .style import STAGES, percent

logger = logging.getLogger(__name__)

HEAT_MAPS = "heat_maps.png"
"""A file of this name in a run's folder, from `plot_heat_maps`, is shown on its page."""


@dataclass(frozen=True)
class Chart:
    """A kind of figure on the page: its `panels` are (corpus, note, drawing)."""

    title: str
    text: str
    panels: list[tuple[str, str, Markup]]


@dataclass(frozen=True)
class Card:
    """A figure of the summary before and after; `change` in points, marked as `Cell` is."""

    name: str
    figures: list[str]
    change: tables.Cell | None


def write_report(folders: Sequence[str | os.PathLike], path: str | os.PathLike | None = None) -> Path:
    """Writes the page of one run, or of several side by side; beside its place first.

    Args:
        folders: output folders of finished runs. Those that differ in their seed only are shown as one, with the
            deviation over seeds apart from that over draws.
        path: by default `report.html` in the folder of a single run, else in the current one.

    Returns:
        The path. Without matplotlib the page has no figures, which is logged.

    Raises what `load_run` raises.
    """
    if not folders:
        raise ValueError("`folders` is empty: name the output folder of at least one run.")
    runs = [load_run(folder) for folder in folders]
    path = Path(path) if path else (runs[0].folder / "report.html" if len(runs) == 1 else Path("report.html"))
    page = run_page(runs[0]) if len(runs) == 1 else comparison_page(runs)
    with replacing(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return path


def run_page(run: Run) -> str:
    results = run.results
    scores = list(dict.fromkeys(row["score"] for row in results["rows"]))
    probe = results.get("probe")
    return _render(
        "run.html",
        run=run,
        results=results,
        stages={stage: STAGES[stage][0] for stage in results["test_error"]},
        headline=headline(results),
        cards=_cards(run),
        cautions=cautions(run),
        corpus_tables={score: tables.corpus_table(run, score) for score in scores},
        detector_table=tables.detector_table(results),
        base_rate_table=tables.base_rate_table(run) if run.scores else None,
        calibration_table=tables.calibration_table(results) if results.get("calibration") else None,
        probe_table=tables.probe_table(probe) if probe else None,
        settings_table=tables.settings_table(results),
        heat_maps=_file_uri(run.folder / HEAT_MAPS),
        **_figures(run),
    )


def comparison_page(runs: Sequence[Run]) -> str:
    groups = group_runs(runs)
    return _render(
        "comparison.html",
        groups=groups,
        several_seeds=any(len(group.runs) > 1 for group in groups),
        overview_table=tables.overview_table(groups),
        metric_tables={
            tables.metric_name(metric, runs[0].results["recall_level"]): tables.comparison_table(groups, metric)
            for metric in tables.METRICS
        },
        differences_table=tables.differences_table(groups),
        cautions={run.folder.resolve().name: cautions(run) for run in runs},
    )


def _render(template: str, **context: Any) -> str:
    environment = Environment(
        loader=PackageLoader("hf_oe.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {"picture_uri": picture_uri, "percent": percent}
    return environment.get_template(template).render(**context)


# ---- Summary ----


def _cards(run: Run) -> list[Card]:
    """Means of the main score, and the test error."""
    results = run.results
    means = {mean["stage"]: mean for mean in results["mean"] if mean["score"] == run.main_score}
    cards = [
        _card(
            f"{plain} ({tables.metric_name(metric, results['recall_level'])})" if plain else metric.upper(),
            [means[stage][metric] for stage in STAGES if stage in means],
            less_is_better=metric == "fpr",
        )
        for metric, plain in (("fpr", "False alarms"), ("auroc", ""), ("aupr", ""))
    ]
    errors = [error for error in results["test_error"].values() if error is not None]
    return cards + ([_card("Test error", errors, less_is_better=True)] if errors else [])


def _card(name: str, figures: Sequence[float], less_is_better: bool) -> Card:
    change = tables.change_cell(*figures, less_is_better) if len(figures) == 2 else None
    return Card(name, [f"{100 * figure:.1f}" for figure in figures], change)


# ---- Figures ----


def _figures(run: Run) -> dict[str, Any]:
    """`bars`, `charts` and `reliability`, empty without matplotlib or saved scores."""
    figures: dict[str, Any] = {"bars": [], "charts": [], "reliability": None}
    try:
        figures["bars"] = [_bars(run, metric) for metric in ("fpr", "auroc")]
        scores = run.main_scores()
        if scores:
            figures["charts"] = [
                _chart("ROC curves", "The paper's Figure 1.", roc_panels(scores)),
                _chart(
                    "Precision and recall",
                    f"At {1 / run.base_rate:g} normal inputs to an anomaly, by weight.",
                    precision_recall_panels(scores, run.base_rate),
                ),
                _chart(
                    "Score histograms",
                    "Filled: in-distribution; outlined: anomalies. Without outliers upwards, with them downwards.",
                    histogram_panels(scores),
                ),
            ]
        if run.confidence:
            figures["reliability"] = _chart(
                "Reliability",
                "Test examples and, by weight, equally many anomalies, for which no prediction is right. On the "
                "dotted line confidence is accuracy; below it the model is too sure.",
                reliability_panels(run.confidence, run.correct),
            )
    except ImportError as error:
        logger.warning("The report has no figures. %s", error)
    return figures


def _chart(title: str, text: str, panels: Panels) -> Chart:
    drawn = [(corpus, panels.note(corpus), panel_svg(panels, corpus, title)) for corpus in panels.corpora]
    return Chart(title, f"{text} Across: {panels.x_name.lower()}; up: {panels.y_name.lower()}.", drawn)


def _bars(run: Run, metric: str) -> Markup:
    with figure_style():
        figure = new_figure(4, 0.7 + 0.36 * len(bar_rows(run.results)))
        draw_bars(figure.subplots(), run.results, metric)
        return figure_svg(figure, f"{tables.metric_name(metric, run.results['recall_level'])} of each corpus")


def _file_uri(path: Path) -> str | None:
    return f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}" if path.exists() else None
