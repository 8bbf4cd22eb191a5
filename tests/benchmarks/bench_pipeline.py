"""The image pipeline against transformers' own: images a second at the same batch size, in the same run.

python -m tests.benchmarks.bench_pipeline [--images 128] [--batch_size 32] [--device cpu]

Both classify the same pictures with the same network and processor, turn by turn; the ratio is of the medians.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor
from transformers import pipeline as transformers_pipeline

from hf_oe import pipeline
from hf_oe.models import SmallImageProcessor, create_classifier

from .results import Result, table
from .timing import median_seconds


def models() -> dict[str, tuple[torch.nn.Module, object, int]]:
    """Network, processor and side of the pictures by name."""
    vit = ViTConfig(hidden_size=96, num_hidden_layers=2, num_attention_heads=4, intermediate_size=192, num_labels=1000)
    return {
        "WRN 16-1, 32 px": (create_classifier("wrn_16_1", 10), SmallImageProcessor(), 32),
        "small ViT, 224 px": (ViTForImageClassification(vit), ViTImageProcessor(), 256),
    }


def results(
    data_dir: Path | None = None, images: int = 128, batch_size: int = 32, rounds: int = 5, device: str = "cpu"
) -> Iterator[Result]:
    warnings.simplefilter("ignore", UserWarning)
    generator = np.random.default_rng(0)
    for name, (model, processor, side) in models().items():
        pixels = generator.integers(0, 256, (images, side, side, 3), dtype=np.uint8)
        pictures = [Image.fromarray(image) for image in pixels]
        settings = {"model": model.eval(), "image_processor": processor, "device": device}
        classifiers = {
            "ours": pipeline("ood-image-classification", **settings),
            "transformers": transformers_pipeline("image-classification", **settings),
        }
        for classifier in classifiers.values():
            classifier(pictures[:batch_size], batch_size=batch_size)
        calls = {
            kind: partial(classifier, pictures, batch_size=batch_size) for kind, classifier in classifiers.items()
        }
        seconds = median_seconds(calls, rounds)
        ratio = seconds["transformers"] / seconds["ours"]
        yield Result(f"{name}, images/s", "ours / transformers' pipeline", ratio, at_least=0.9)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=128)
    parser.add_argument("--batch_size", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    print(table(("pipeline", result) for result in results(**vars(parser.parse_args()))))


if __name__ == "__main__":
    main()
