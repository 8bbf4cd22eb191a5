"""A run's results for people: the table of before and after, figures, and one HTML page."""

from .examples import Examples, most_and_least_anomalous
from .figures import plot_bars, plot_heat_maps, plot_histograms, plot_precision_recall, plot_reliability, plot_roc
from .page import write_report
from .publish import publish_run
from .saved import Run, load_run, save_run
from .settings import run_settings
from .style import STAGES, Scores
from .table import results_table

__all__ = [
    "STAGES",
    "Examples",
    "Run",
    "Scores",
    "load_run",
    "most_and_least_anomalous",
    "plot_bars",
    "plot_heat_maps",
    "plot_histograms",
    "plot_precision_recall",
    "plot_reliability",
    "plot_roc",
    "publish_run",
    "results_table",
    "run_settings",
    "save_run",
    "write_report",
]
