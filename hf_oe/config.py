"""What a model's config says of its anomaly detection, in a section of its own: `config.oe`, a dictionary.

`temperature` (float) is that of the softmax, `threshold` (a dictionary) what `fit_threshold` chose. `OETrainer` adds
the anomaly score's name and how the model was trained when it saves it, see `hf_oe.hub.provenance`.
"""

from __future__ import annotations

from typing import Any


def oe_settings(model: Any) -> dict[str, Any]:
    """A copy of the section; empty for a model without one."""
    return dict(getattr(getattr(model, "config", None), "oe", None) or {})


def update_oe_settings(model: Any, **settings: Any) -> None:
    """Sets entries of the section and leaves the others; does nothing for a model without a config."""
    if hasattr(model, "config"):
        model.config.oe = {**oe_settings(model), **settings}


def oe_score(model: Any) -> str:
    """Name of the anomaly score to use the model with: that of its threshold, else the recorded one, else `msp`."""
    settings = oe_settings(model)
    return (settings.get("threshold") or {}).get("score") or settings.get("score") or "msp"


def oe_temperature(model: Any) -> float:
    """The softmax temperature fitted on held-out examples, or 1."""
    return oe_settings(model).get("temperature") or 1.0
