"""The tables of a page as rows of cells, each with what to show and what to sort by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..data.probe import SEPARABLE
from ..protocols.published import PublishedTable
from ..suite import ERROR_DETECTION
from .compare import Figure, RunGroup, differing_settings
from .context import BASE_RATES, at_base_rate, worse_corpora
from .saved import Run
from .style import STAGES, arrow, fpr_name, percent

METRICS = ("fpr", "auroc", "aupr")


@dataclass(frozen=True)
class Cell:
    """Attributes: `text` to show, `value` to sort by, a `note` in small print, a `mark` (good, bad or warned)."""

    text: str
    value: float | None = None
    note: str = ""
    mark: str = ""


@dataclass(frozen=True)
class Table:
    """Attributes: `columns` are headings, `foot` rows stay at the end however the table is sorted."""

    columns: list[str]
    rows: list[list[Cell]]
    foot: list[list[Cell]] = field(default_factory=list)
    numeric: bool = True


def corpus_table(run: Run, score: str) -> Table:
    """Each corpus before and after, their change, and the published figures of the same protocol and score, if any."""
    results = run.results
    stages = [stage for stage in STAGES if any((r["stage"], r["score"]) == (stage, score) for r in results["rows"])]
    published = PublishedTable(**results["published"]) if results.get("published") else None
    if published and published.score != score:
        published = None
    columns = ["Corpus"]
    for metric in METRICS:
        name = metric_name(metric, results["recall_level"])
        columns += [f"{name} {STAGES[stage][0]}" for stage in stages] + (["change"] if len(stages) == 2 else [])
    if published:
        columns += [f"published {metric_name(metric, published.recall_level)}" for metric in METRICS]
    worse = worse_corpora(results) if score == run.main_score else {}
    rows, foot = [], []
    for corpus in dict.fromkeys(row["corpus"] for row in results["rows"]):
        if corpus != ERROR_DETECTION:
            figures = _by_stage(results["rows"], score, corpus)
            line = [Cell(corpus, note="worse with OE", mark="warned") if corpus in worse else Cell(corpus)]
            rows.append(line + _metric_cells(figures, stages) + _published_cells(published, corpus))
    means = {mean["stage"]: mean for mean in results["mean"] if mean["score"] == score}
    foot.append([Cell("Mean"), *_metric_cells(means, stages), *_published_cells(published, "mean")])
    for group in dict.fromkeys(mean["group"] for mean in results.get("group_mean", ())):
        chosen = [mean for mean in results["group_mean"] if (mean["group"], mean["score"]) == (group, score)]
        figures = {mean["stage"]: mean for mean in chosen}
        corpora = ", ".join(chosen[0]["corpora"])
        line = [Cell(f"Mean of {group}", note=corpora), *_metric_cells(figures, stages)]
        foot.append(line + ([Cell("–")] * len(METRICS) if published else []))
    return Table(columns, rows, foot)


def detector_table(results: Mapping[str, Any]) -> Table:
    """Means over the corpora of every score of either model, the best AUROC first."""
    columns = ["Score", "Model", *(metric_name(metric, results["recall_level"]) for metric in METRICS)]
    ranked = sorted(results["mean"], key=lambda mean: -mean["auroc"])
    rows = [
        [Cell(mean["score"]), Cell(STAGES[mean["stage"]][0]), *(_figure_cell(mean, metric) for metric in METRICS)]
        for mean in ranked
    ]
    return Table(columns, rows)


def base_rate_table(run: Run) -> Table:
    """Precision and calibration at several base rates, as `context.at_base_rate` states them."""
    figures = {base_rate: at_base_rate(run, base_rate) for base_rate in BASE_RATES}
    stages = list(figures[BASE_RATES[0]])
    metrics = {"precision": "Precision", "rms": "RMS error"}
    shown = {metric: name for metric, name in metrics.items() if all(metric in by for by in figures[1.0].values())}
    columns = ["Anomalies to normal inputs", *(f"{name} {STAGES[s][0]}" for name in shown.values() for s in stages)]
    rows = [
        [Cell(f"1 : {1 / base_rate:g}", base_rate)]
        + [_percent_cell(by_stage[stage][metric]) for metric in shown for stage in stages]
        for base_rate, by_stage in figures.items()
    ]
    return Table(columns, rows)


def calibration_table(results: Mapping[str, Any]) -> Table:
    """As Table 7: means over the corpora, without and with 0-1 posterior rescaling."""
    rows = []
    for stage, rescaled in dict.fromkeys((row["stage"], row["rescaled"]) for row in results["calibration"]):
        chosen = [row for row in results["calibration"] if (row["stage"], row["rescaled"]) == (stage, rescaled)]
        means = [float(np.mean([row[metric] for row in chosen])) for metric in ("rms", "mav", "soft_f1")]
        name = STAGES[stage][0] + (", 0-1 rescaled" if rescaled else "")
        rows.append([Cell(name), *map(_percent_cell, means)])
    return Table(["Confidence", "RMS error", "MAV error", "Soft F1"], rows)


def probe_table(probe: Mapping[str, Any]) -> Table:
    rows = [
        [Cell(cue), Cell(percent(area), area, mark="bad" if area >= SEPARABLE else "")]
        for cue, area in sorted(probe["cues"].items(), key=lambda item: -item[1])
    ]
    mark = "bad" if probe["auroc"] >= SEPARABLE else ""
    return Table(["Cue", "AUROC"], rows, [[Cell("All together"), Cell(percent(probe["auroc"]), mark=mark)]])


def settings_table(results: Mapping[str, Any]) -> Table:
    settings = {"seed": results.get("seed"), **(results.get("settings") or {})}
    rows = [[Cell(name), Cell(str(value))] for name, value in settings.items() if value is not None]
    return Table(["Setting", "Value"], rows, numeric=False)


# ---- Several runs ----


def overview_table(groups: Sequence[RunGroup]) -> Table:
    """Means over the corpora of each group and stage."""
    level = groups[0].runs[0].results["recall_level"]
    columns = ["Run", "Seeds", "Model", *(metric_name(metric, level) for metric in METRICS), "Test error"]
    rows = []
    for group in groups:
        for stage, (label, _) in STAGES.items():
            figures = [group.figure(stage, "mean", metric) for metric in METRICS]
            if any(figures):
                line = [Cell(group.name, note=f"score {group.score}"), Cell(", ".join(map(str, group.seeds)) or "–")]
                cells = map(_deviation_cell, [*figures, group.test_error(stage)])
                rows.append([*line, Cell(label), *cells])
    return Table(columns, rows)


def comparison_table(groups: Sequence[RunGroup], metric: str) -> Table:
    """One metric with OE (of a run without it, of the baseline), a row a corpus and a column a group."""
    corpora = [name for name in dict.fromkeys(c for group in groups for c in group.corpora) if name != ERROR_DETECTION]

    def cell(group: RunGroup, corpus: str) -> Cell:
        return _deviation_cell(group.figure("oe", corpus, metric) or group.figure("baseline", corpus, metric))

    rows = [[Cell(corpus), *(cell(group, corpus) for group in groups)] for corpus in corpora]
    return Table(
        ["Corpus", *(group.name for group in groups)], rows, [[Cell("Mean"), *(cell(g, "mean") for g in groups)]]
    )


def differences_table(groups: Sequence[RunGroup]) -> Table:
    differing = differing_settings([group.runs[0] for group in groups])
    rows = [[Cell(name), *(Cell(str(value)) for value in values)] for name, values in differing.items()]
    return Table(["Setting", *(group.name for group in groups)], rows, numeric=False)


# ---- Cells ----


def metric_name(metric: str, recall_level: float) -> str:
    return fpr_name(recall_level) if metric == "fpr" else metric.upper()


def _by_stage(rows: Sequence[Mapping[str, Any]], score: str, corpus: str) -> dict[str, Mapping[str, Any]]:
    return {row["stage"]: row for row in rows if (row["score"], row["corpus"]) == (score, corpus)}


def _metric_cells(figures: Mapping[str, Mapping[str, Any]], stages: Sequence[str]) -> list[Cell]:
    cells = []
    for metric in METRICS:
        cells += [_figure_cell(figures.get(stage, {}), metric) for stage in stages]
        if len(stages) == 2:
            cells.append(change_cell(*(figures.get(stage, {}).get(metric) for stage in stages), metric == "fpr"))
    return cells


def _figure_cell(row: Mapping[str, Any], metric: str) -> Cell:
    deviation = row.get(f"{metric}_std")
    return _percent_cell(row.get(metric), "" if deviation is None else f"± {percent(deviation)}")


def _percent_cell(value: float | None, note: str = "") -> Cell:
    return Cell(percent(value), value, note)


def _deviation_cell(figure: Figure | None) -> Cell:
    if figure is None:
        return Cell("–")
    notes = {"seeds": figure.over_seeds, "draws": figure.over_draws}
    told = [f"± {percent(deviation)} {over}" for over, deviation in notes.items() if deviation is not None]
    return _percent_cell(figure.mean, ", ".join(told))


def change_cell(before: float | None, after: float | None, less_is_better: bool) -> Cell:
    if before is None or after is None:
        return Cell("–")
    change = 100 * (after - before)
    mark = "" if abs(change) < 0.005 else "good" if (change < 0) == less_is_better else "bad"
    return Cell(f"{change:+.2f}".replace("-", "−") if mark else "0.00", change, mark=mark)


def _published_cells(published: PublishedTable | None, corpus: str) -> list[Cell]:
    """Before and after of each metric; sorted by after."""
    if published is None:
        return []
    if corpus not in published.rows:
        return [Cell("–")] * len(METRICS)
    pairs = zip(*published.rows[corpus], strict=True)
    return [Cell(arrow("–" if figure is None else str(figure) for figure in pair), pair[1]) for pair in pairs]
