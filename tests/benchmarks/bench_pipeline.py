"""The image pipeline against transformers' own: images a second at the same batch size, in the same run.

python -m tests.benchmarks.bench_pipeline [--images 512] [--batch_size 32] [--device cpu]

Both classify the same pictures with the same network and processor, turn by turn; the ratio is of the medians.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings

import numpy as np
import torch
from PIL import Image
from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor
from transformers import pipeline as transformers_pipeline

from hf_oe import pipeline
from hf_oe.models import SmallImageProcessor, create_classifier


def models() -> dict[str, tuple[torch.nn.Module, object, int]]:
    """Network, processor and side of the pictures by name."""
    vit = ViTConfig(hidden_size=96, num_hidden_layers=2, num_attention_heads=4, intermediate_size=192, num_labels=1000)
    return {
        "WRN 16-1, 32 px": (create_classifier("wrn_16_1", 10), SmallImageProcessor(), 32),
        "small ViT, 224 px": (ViTForImageClassification(vit), ViTImageProcessor(), 256),
    }


def seconds(classifier, pictures: list[Image.Image], batch_size: int) -> float:
    start = time.perf_counter()
    classifier(pictures, batch_size=batch_size)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=512)
    parser.add_argument("--batch_size", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    warnings.simplefilter("ignore", UserWarning)
    generator = np.random.default_rng(0)
    for name, (model, processor, side) in models().items():
        pixels = generator.integers(0, 256, (options.images, side, side, 3), dtype=np.uint8)
        pictures = [Image.fromarray(image) for image in pixels]
        settings = {"model": model.eval(), "image_processor": processor, "device": options.device}
        classifiers = {
            "ours": pipeline("ood-image-classification", **settings),
            "transformers": transformers_pipeline("image-classification", **settings),
        }
        for classifier in classifiers.values():
            seconds(classifier, pictures[: options.batch_size], options.batch_size)
        taken = {kind: [] for kind in classifiers}
        for _ in range(options.rounds):
            for kind, classifier in classifiers.items():
                taken[kind].append(seconds(classifier, pictures, options.batch_size))
        rates = {kind: options.images / statistics.median(times) for kind, times in taken.items()}
        print(
            f"{name}, batches of {options.batch_size}: {rates['ours']:.0f} images/s, transformers' pipeline "
            f"{rates['transformers']:.0f}, ratio {rates['ours'] / rates['transformers']:.2f}"
        )


if __name__ == "__main__":
    main()
