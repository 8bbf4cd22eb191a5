"""The table of before and after, in Markdown: for the terminal and for the model card."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..protocols.published import PublishedTable
from ..suite import ERROR_DETECTION
from .style import STAGES, arrow, fpr_name, percent


def results_table(results: Mapping[str, Any], published: PublishedTable | None = None) -> str:
    """Markdown tables of a run, in percent, each cell `baseline → OE`; a dash stands where there is no figure.

    Args:
        results: what `ood_results.json` holds, and in `left_out` the corpora that could not be reached, if any.
        published: figures to set beside those of the same score, as printed in the source.
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
        beside = published if published and score == published.score else None
        lines = [
            ["**Mean**" if corpus == "mean" else corpus, *_cells(rows, score, corpus, metrics)]
            + (_published_cells(beside, corpus) if beside else [])
            for corpus in corpora
        ]
        header = ["Corpus", *(name for name, _ in metrics)]
        if beside:
            header += [f"published {name}" for name in (fpr_name(beside.recall_level), "AUROC", "AUPR")]
        scored = [stage for stage in STAGES if any((row["stage"], row["score"]) == (stage, score) for row in rows)]
        only = "" if set(scored) == set(results["test_error"]) else f", {STAGES[scored[0]][0]} only"
        parts += [f"Score: `{score}`{only}", _markdown(header, lines)]
    if published:
        compared = published.mean_over or ", ".join(name for name in published.rows if name != "mean")
        parts.append(f"Published: {published.source}, with {published.outliers}; the mean is over {compared}.")
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
            f"Calibration with {results.get('calibration_base_rate', 1):g} anomalies a test example, mean over the "
            "corpora, at the temperature of held-out training examples.",
            _calibration_table(results["calibration"], published),
        ]
    return "\n\n".join(parts) + "\n"


def _calibration_table(rows: Sequence[Mapping[str, Any]], published: PublishedTable | None) -> str:
    """As Table 7: a line for each stage, without and with 0-1 posterior rescaling."""
    header = ["", "RMS error", "MAV error", "Soft F1"]
    known = published.calibration if published else ()
    beside = dict(zip([("baseline", False), ("baseline", True), ("oe", True)], known, strict=False))
    if beside:
        header += [f"published {name}" for name in header[1:]]
    lines = []
    for stage, rescaled in dict.fromkeys((row["stage"], row["rescaled"]) for row in rows):
        chosen = [row for row in rows if (row["stage"], row["rescaled"]) == (stage, rescaled)]
        means = [float(np.mean([row[metric] for row in chosen])) for metric in ("rms", "mav", "soft_f1")]
        line = [STAGES[stage][0] + (", 0-1 rescaled" if rescaled else ""), *map(percent, means)]
        if beside:
            line += map(str, beside.get((stage, rescaled), ["–"] * 3))
        lines.append(line)
    return _markdown(header, lines)


def _group_name(mean: Mapping[str, Any]) -> str:
    return f"Mean of {mean['group']}: {', '.join(mean['corpora'])}"


def _metrics(results: Mapping[str, Any]) -> list[tuple[str, Callable[[Mapping], tuple[float | None, float | None]]]]:
    """Each column's name and how to get (figure, deviation) from a row; further recall levels have no deviation."""
    level = results["recall_level"]
    further = [key for key in results["rows"][0].get("fpr_at", {}) if float(key) != level]
    return [
        (fpr_name(level), lambda row: (row["fpr"], row.get("fpr_std"))),
        *((fpr_name(float(key)), lambda row, key=key: (row.get("fpr_at", {}).get(key), None)) for key in further),
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
        cells.append(arrow(percent(*figure) for figure in figures))
    return cells


def _published_cells(published: PublishedTable, corpus: str) -> list[str]:
    if corpus not in published.rows:
        return ["–"] * 3
    return [
        arrow("–" if figure is None else str(figure) for figure in figures)
        for figures in zip(*published.rows[corpus], strict=True)
    ]


def _caption(results: Mapping[str, Any]) -> str:
    stages = arrow(STAGES[stage][0] for stage in results["test_error"])
    caption = f"In percent, {stages}, mean ± standard deviation over {results['trials']} draws of anomalies."
    errors = results["test_error"].values()
    known = any(error is not None for error in errors)
    if known:
        caption += f" Test error: {arrow(map(percent, errors))}."
    for name, by_stage in results.get("figures", {}).items():
        figures = arrow(f"{by_stage[stage]:.3f}" for stage in results["test_error"])
        caption += f" {name.replace('_', ' ').capitalize()}: {figures}."
    return caption


def _markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table with padded cells, to be read on a terminal, too."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    lines = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in (header, rule, *rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
