"""The noise corpora of the paper, made on the spot; `hf_oe.data.synthetic` has all that can be chosen about them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .. import synthetic
from ._builder import register
from ._info import CorpusInfo

_DESCRIPTIONS = {
    "gaussian": "Gaussian noise, clipped, standard deviation 0.5.",
    "rademacher": "Each value -1 or 1 with equal probability.",
    "bernoulli": "Each value the lowest or the highest with equal probability (the paper's name for it in [0, 1]).",
    "blobs": "Amorphous shapes with definite edges.",
    "uniform": "Uniform noise: for choosing hyperparameters, never for testing.",
}


def _register(name: str, description: str) -> None:
    class Noise:
        corpus = CorpusInfo(
            name=name,
            roles=("validation anomaly" if name == "uniform" else "test anomaly",),
            modality="image",
            splits={"test": 10_000},
            description=description,
            licence="none needed",
            citation="Hendrycks, Mazeika, Dietterich: Deep anomaly detection with outlier exposure, 2018",
            homepage="https://arxiv.org/abs/1812.04606",
            derived_from="a seeded generator",
            notes="A column pixel_values, float32 (3, 32, 32) in [-1, 1], which is the model's input as it stands.",
        )

        @classmethod
        def load(cls, split: str, folder: Path | None, streaming: bool) -> Any:
            dataset = synthetic.as_dataset(name)
            return dataset.to_iterable_dataset() if streaming else dataset

        @classmethod
        def place(cls, split: str) -> str:
            return "made on the spot"

    register(Noise)


for _name, _description in _DESCRIPTIONS.items():
    _register(_name, _description)
