"""A run's results for people: the table of before and after, figures, and one HTML page."""

from .figures import plot_bars, plot_heat_maps, plot_histograms, plot_precision_recall, plot_reliability, plot_roc
from .style import STAGES, Scores
from .table import results_table

__all__ = [
    "STAGES",
    "Scores",
    "plot_bars",
    "plot_heat_maps",
    "plot_histograms",
    "plot_precision_recall",
    "plot_reliability",
    "plot_roc",
    "results_table",
]
