"""A detector as one ONNX graph: logits, calibrated probabilities and the anomaly score. Needs `hf_oe[onnx]`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from .config import oe_score, oe_temperature
from .files import replacing
from .scores import score_outputs

OUTPUTS = ("logits", "probabilities", "anomaly_score")


def export_onnx(
    model: Any,
    path: str | os.PathLike,
    inputs: Mapping[str, Tensor] | None = None,
    *,
    score: str | None = None,
) -> None:
    """Writes a classifier with its anomaly score as one ONNX graph.

    Its outputs, all float32: `logits` and `probabilities` (at the temperature in the model's config), both `(batch,
    classes)`, and `anomaly_score` `(batch,)`, higher for more anomalous. Its inputs are the model's, by their names; a
    batch may have any size, and so may the sequence of a text.

    Args:
        model: a pipeline of `hf_oe.pipelines`, or a transformers classifier.
        inputs: an example batch as the classifier takes it; a pipeline makes its own.
        score: one of `hf_oe.scores.SCORES`; by default the one that the model's config records, else `msp`.

    Raises:
        ImportError: without the extra `[onnx]`.
        ValueError: if a classifier comes without `inputs`.

    Example:
        >>> export_onnx(detector, "detector.onnx")
        >>> session = onnxruntime.InferenceSession("detector.onnx")
        >>> logits, probabilities, anomaly_score = session.run(None, {"pixel_values": batch})
    """
    try:
        import onnxscript  # noqa: F401  (torch exports with it)
    except ModuleNotFoundError as error:
        raise ImportError("ONNX export needs onnxscript: install it with `pip install hf_oe[onnx]`.") from error
    if hasattr(model, "data_collator"):
        example = Image.new("RGB", (64, 64)) if model.column == "image" else "an example"
        model, inputs = model.model, inputs or model.data_collator([example])
    if not inputs:
        raise ValueError("`inputs` must be an example batch when `model` is a classifier: give one, or a pipeline.")
    inputs = {name: value.to(model.device) for name, value in inputs.items()}
    # Two rows, since the exporter takes a size of 1 for a constant.
    values = tuple(torch.cat([value, value]) for value in inputs.values())
    detector = _Detector(model, tuple(inputs), score or oe_score(model)).eval()
    with replacing(path) as temporary:
        torch.onnx.export(
            detector,
            values,
            str(temporary),
            input_names=list(inputs),
            output_names=list(OUTPUTS),
            dynamic_shapes={"values": tuple(_dynamic_axes(value) for value in values)},
            external_data=False,
            verbose=False,
        )


class _Detector(nn.Module):
    """A classifier with its temperature and anomaly score inside the graph."""

    def __init__(self, model: nn.Module, names: tuple[str, ...], score: str):
        super().__init__()
        self.model = model
        self.names = names
        self.score = score
        self.temperature = oe_temperature(model)

    def forward(self, *values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        outputs = self.model(**dict(zip(self.names, values, strict=True)))
        logits = outputs["logits"].float()
        return logits, (logits / self.temperature).softmax(dim=-1), score_outputs(self.score, outputs)


def _dynamic_axes(value: Tensor) -> dict[int, Any]:
    """The batch, and of token ids and masks, which have two axes, the sequence."""
    axes = {0: torch.export.Dim.DYNAMIC}
    return {**axes, 1: torch.export.Dim.DYNAMIC} if value.ndim == 2 else axes
