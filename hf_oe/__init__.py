"""Outlier Exposure for the Hugging Face ecosystem: models that know what they do not know."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from .arguments import OETrainingArguments
    from .data.corpora import list_corpora, load_corpus
    from .data.probe import shortcut_probe
    from .language_trainer import OELanguageModelTrainer
    from .pipelines import pipeline
    from .suite import OODResults, OODSuite
    from .threshold import Threshold, fit_threshold
    from .trainer import OETrainer

# Names are imported on first use: `import hf_oe` stays light.
_MODULES = {
    "OELanguageModelTrainer": ".language_trainer",
    "OETrainer": ".trainer",
    "OETrainingArguments": ".arguments",
    "OODResults": ".suite",
    "OODSuite": ".suite",
    "Threshold": ".threshold",
    "fit_threshold": ".threshold",
    "list_corpora": ".data.corpora",
    "load_corpus": ".data.corpora",
    "pipeline": ".pipelines",
    "shortcut_probe": ".data.probe",
}
__all__ = [
    "OELanguageModelTrainer",
    "OETrainer",
    "OETrainingArguments",
    "OODResults",
    "OODSuite",
    "Threshold",
    "fit_threshold",
    "list_corpora",
    "load_corpus",
    "pipeline",
    "shortcut_probe",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(importlib.import_module(_MODULES[name], __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
