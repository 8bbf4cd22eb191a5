"""The optional library that most detectors come from."""

from __future__ import annotations

from types import ModuleType


def library() -> ModuleType:
    """`pytorch_ood.detector`; raises `ImportError` with what to install where it is missing."""
    try:
        import pytorch_ood.detector
    except ModuleNotFoundError as error:
        raise ImportError(
            "This detector comes from pytorch-ood: install it with `pip install hf_oe[detectors]`."
        ) from error
    return pytorch_ood.detector
