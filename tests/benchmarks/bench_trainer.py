"""A step of OETrainer (128 examples + 128 outliers) against a step of the plain Trainer on 256 of the same images."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Dataset
from transformers import Trainer, TrainingArguments

from hf_oe import OETrainer, OETrainingArguments
from hf_oe.models import create_classifier

from .results import Result, table
from .timing import median_seconds

_STEPS = 12


class Images(Dataset):
    """Random images in memory."""

    def __init__(self, count: int):
        self.images = torch.randn(count, 3, 32, 32, generator=torch.Generator().manual_seed(0))

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"pixel_values": self.images[index], "labels": index % 10}


def results(data_dir: Path | None = None) -> Iterator[Result]:
    images, folder = Images(256 * _STEPS), tempfile.mkdtemp()
    common = {
        "output_dir": folder,
        "max_steps": _STEPS,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "logging_strategy": "no",
        "dataloader_pin_memory": False,
    }

    def plain():
        args = TrainingArguments(per_device_train_batch_size=256, **common)
        Trainer(create_classifier("wrn_16_1", 10), args, train_dataset=images).train()

    def exposed():
        args = OETrainingArguments(per_device_train_batch_size=128, **common)
        model = create_classifier("wrn_16_1", 10)
        OETrainer(model, args, train_dataset=images, outlier_dataset=images).train()

    seconds = median_seconds({"plain Trainer": plain, "OETrainer": exposed}, repeats=5)
    ratio = seconds["OETrainer"] / seconds["plain Trainer"]
    yield Result("a step of 256 images", "OETrainer / plain Trainer", ratio, at_most=1.05)


def main() -> None:
    print(table(("trainer", result) for result in results(None)))


if __name__ == "__main__":
    main()
