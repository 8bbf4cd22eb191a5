"""A small PixelCNN++ and images for it: what the tests of training a density model share.

Run as `python -m tests.tiny_density FOLDER` by every rank of a distributed test; writes `rank_<n>.pt` there.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Dataset
from transformers.trainer_utils import get_last_checkpoint

from hf_oe import OETrainer, OETrainingArguments
from hf_oe.models import PixelCNNPPConfig, PixelCNNPPModel
from hf_oe.polyak import PolyakAveraging

from .tiny import KillAt, Killed, weights

SIZE = 4
EXACT = {"dropout": 0.0, "optim": "sgd", "learning_rate": 1e-5}
"""Settings under which a run depends on rounding only where the same numbers are added in another order."""


class Stripes(Dataset):
    """Images of one colour a row; outliers are noise."""

    def __init__(self, count: int, outliers: bool = False):
        self.count, self.outliers = count, outliers

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> dict[str, Any]:
        generator = torch.Generator().manual_seed(index)
        shape = (3, SIZE, SIZE) if self.outliers else (3, SIZE, 1)
        levels = torch.randint(256, shape, generator=generator).expand(3, SIZE, SIZE)
        image = {"pixel_values": levels / 127.5 - 1}
        return image if self.outliers else {**image, "labels": index % 2}


def density_model(dropout: float = 0.5) -> PixelCNNPPModel:
    torch.manual_seed(0)
    model = PixelCNNPPModel(PixelCNNPPConfig(image_size=SIZE, filters=4, blocks=1, mixtures=2, dropout=dropout))
    model.initialize_from_batch(torch.stack([Stripes(8)[index]["pixel_values"] for index in range(8)]))
    return model


def density_trainer(output_dir: Path, with_outliers: bool = True, dropout: float = 0.5, **settings) -> OETrainer:
    """16 examples, batches of 4 and as many outliers, so 4 steps an epoch in one process."""
    callbacks = settings.pop("callbacks", [])
    settings = {
        "num_train_epochs": 2,
        "per_device_train_batch_size": 4,
        "learning_rate": 3e-3,
        "max_grad_norm": 0.0,
        "objective": "margin",
        "logging_steps": 1,
        "save_steps": 2,
        "report_to": "none",
        "disable_tqdm": True,
        "use_cpu": True,
        "dataloader_pin_memory": False,
        **settings,
    }
    return OETrainer(
        density_model(dropout),
        OETrainingArguments(str(output_dir), **settings),
        train_dataset=Stripes(16),
        outlier_dataset=Stripes(40, outliers=True) if with_outliers else None,
        eval_dataset=Stripes(12),
        ood_datasets={"noise": Stripes(20, outliers=True)},
        callbacks=[PolyakAveraging(0.9), *callbacks],
    )


def main() -> None:
    folder = Path(sys.argv[1])
    exact = density_trainer(folder / "exact", **EXACT)
    exact.train()
    whole = density_trainer(folder / "whole")
    whole.train()
    try:
        density_trainer(folder / "killed", callbacks=[KillAt(3)]).train()
    except Killed:
        pass
    resumed = density_trainer(folder / "killed")
    resumed.train(resume_from_checkpoint=get_last_checkpoint(folder / "killed"))
    report = {
        "world_size": exact.args.world_size,
        "weights": weights(exact),
        "metrics": {name: value for name, value in exact.evaluate().items() if "ood" in name},
        "whole": weights(whole),
        "resumed": weights(resumed),
    }
    torch.save(report, folder / f"rank_{exact.args.process_index}.pt")


if __name__ == "__main__":
    main()
