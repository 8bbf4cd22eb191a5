"""What a model's config says of its anomaly detection, in a section of its own: `config.oe`, a dictionary.

`temperature` (float) is that of the softmax, `threshold` (a dictionary) what `fit_threshold` chose.
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
