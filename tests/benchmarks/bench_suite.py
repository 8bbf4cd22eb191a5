"""OODSuite on 7 corpora, 10 trials and 2 scores against one bare forward pass over the same images."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from torch.utils.data import DataLoader
from transformers import default_data_collator

from hf_oe.data.synthetic import SyntheticDataset
from hf_oe.models import create_classifier
from hf_oe.suite import OODSuite

from .results import Result, table
from .timing import median_seconds


def results(data_dir: Path | None = None) -> Iterator[Result]:
    model = create_classifier("oe_mnist_convnet", 10).eval()
    images = [SyntheticDataset("uniform", 2000, 28, 1, "unit", seed) for seed in range(8)]
    for dataset in images:
        dataset[0]
    suite = OODSuite(score=["msp", "kl_uniform"], trials=10)
    corpora = {f"corpus {number}": dataset for number, dataset in enumerate(images[1:])}

    @torch.inference_mode()
    def forward():
        for dataset in images:
            for batch in DataLoader(dataset, 256, collate_fn=default_data_collator):
                model(**batch)

    seconds = median_seconds({"suite": lambda: suite.evaluate(model, images[0], corpora), "forward pass": forward})
    ratio = seconds["suite"] / seconds["forward pass"]
    yield Result("7 corpora, 10 trials, 2 scores", "suite / one forward pass", ratio, at_most=1.3)


def main() -> None:
    print(table(("suite", result) for result in results(None)))


if __name__ == "__main__":
    main()
