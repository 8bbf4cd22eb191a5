"""Images that a generator makes, as a set of outliers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from ..models.gan import DCGANConfig, DCGANGenerator


def is_generator(source: str) -> bool:
    """Whether `source` is the folder of a saved `DCGANGenerator`."""
    config = Path(source, "config.json")
    return config.is_file() and json.loads(config.read_text(encoding="utf-8"))["model_type"] == DCGANConfig.model_type


class GeneratedImages(Dataset):
    """Rows `{"pixel_values": float32 (channels, height, width)}`, each a function of seed and index.

    Args:
        generator: whose images are normalised as the classifier's inputs are.
        count: number of images.
        seed: of the noise.
    """

    def __init__(self, generator: DCGANGenerator, count: int, seed: int = 0):
        self.generator = generator.eval()
        self.count = count
        self.seed = seed

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self.__getitems__([index])[0]

    @torch.no_grad()
    def __getitems__(self, indices: Sequence[int]) -> list[dict[str, Any]]:
        latents = np.stack([self._latents(index) for index in indices])
        images = self.generator(torch.from_numpy(latents).to(self.generator.device))
        return [{"pixel_values": image} for image in images.cpu()]

    def _latents(self, index: int) -> np.ndarray:
        generator = np.random.default_rng([self.seed, index])
        return generator.standard_normal(self.generator.config.latent_size, dtype=np.float32)
