"""What every rank runs in test_distributed.py; writes what it saw to `rank_<n>.pt` in the folder given."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from transformers.trainer_utils import get_last_checkpoint

from .tiny import KillAt, Killed, Vectors, outlier_stream, tiny_trainer, weights

OUTLIERS = {
    "map-style": lambda: Vectors(90, shift=-2.0, labelled=False, noise=0.0),
    "stream": lambda: outlier_stream(90),
}


def run(folder: Path, outliers: str, **kwargs):
    """Trains; with `resume` after having been killed."""
    resume = kwargs.pop("resume", None)
    trainer = tiny_trainer(folder, OUTLIERS[outliers](), num_train_epochs=2, **kwargs)
    seen = []
    forward = trainer.model.forward

    def spy(pixel_values, labels=None):
        if trainer.model.training:
            seen.append(pixel_values[4:])
        return forward(pixel_values, labels)

    trainer.model.forward = spy
    trainer.train(resume_from_checkpoint=resume)
    return trainer, torch.cat(seen)


def killed_and_resumed(folder: Path, outliers: str):
    try:
        run(folder, outliers, callbacks=[KillAt(5)])
    except Killed:
        pass
    trainer, _ = run(folder, outliers, resume=get_last_checkpoint(folder))
    return weights(trainer)


def main() -> None:
    folder = Path(sys.argv[1])
    report = {}
    for outliers in OUTLIERS:
        plain = {"dropout": 0.0, "noise": 0.0}
        trainer, seen = run(folder / f"exact_{outliers}", outliers, score=["msp", "knn", "vim"], **plain)
        metrics = {key: value for key, value in trainer.evaluate().items() if "ood" in key or "accuracy" in key}
        whole, _ = run(folder / f"whole_{outliers}", outliers)
        report[outliers] = {
            "world_size": trainer.args.world_size,
            "seen": seen,
            "weights": weights(trainer),
            "metrics": metrics,
            "whole": weights(whole),
            "resumed": killed_and_resumed(folder / f"killed_{outliers}", outliers),
        }
    torch.save(report, folder / f"rank_{trainer.args.process_index}.pt")


if __name__ == "__main__":
    main()
