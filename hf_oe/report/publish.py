"""Writes what a reader of a finished run needs: saved scores, figures, and the page."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path

from ..suite import OODResults
from .examples import Examples
from .figures import plot_bars, plot_histograms, plot_precision_recall, plot_reliability, plot_roc
from .page import write_report
from .saved import Run, load_run, save_run

logger = logging.getLogger(__name__)


def publish_run(
    folder: str | os.PathLike, results: Mapping[str, OODResults], examples: Mapping[str, Examples] | None = None
) -> dict[str, str]:
    """Completes the folder of a run whose `ood_results.json` is written.

    Args:
        results: by stage, "baseline" and "oe".
        examples: by corpus, from `most_and_least_anomalous`.

    Returns:
        File names of the figures by caption, for the model card; none without matplotlib, which is logged.
    """
    folder = Path(folder)
    save_run(folder, results, examples)
    run = load_run(folder)
    try:
        figures = _write_figures(run)
    except ImportError as error:
        logger.warning("The figures are left out. %s", error)
        figures = {}
    write_report([folder], folder / "report.html")
    return figures


def _write_figures(run: Run) -> dict[str, str]:
    scores, folder = run.main_scores(), run.folder
    plot_roc(scores, folder / "roc.png")
    plot_precision_recall(scores, folder / "precision_recall.png", run.base_rate)
    plot_histograms(scores, folder / "histograms.png")
    plot_bars(run.results, folder / "bars.png")
    if run.confidence:
        plot_reliability(run.confidence, run.correct, folder / "reliability.png")
    return {"ROC curves": "roc.png", "Score histograms": "histograms.png"}
