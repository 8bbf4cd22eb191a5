"""How much the memory of a process grows over 2,000 steps of training with streamed outliers.

python -m tests.benchmarks.memory [--steps 2000] [--workers 0]
"""

from __future__ import annotations

import argparse
import gc
import tempfile
from collections.abc import Sequence
from pathlib import Path

import datasets
import numpy as np
from transformers import TrainerCallback

from ..tiny import SIZE, tiny_trainer


def resident_mib() -> float:
    """Memory of this process now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


def peak_mib() -> float:
    """Largest memory of this program so far; `getrusage` would count that of the one which started it, too."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


class Watch(TrainerCallback):
    """Records the memory after some steps."""

    def __init__(self, every: int):
        self.every, self.mib = every, {}

    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step % self.every == 0:
            gc.collect()
            self.mib[state.global_step] = resident_mib()


def stream(shards: int = 50, shard_size: int = 1000) -> datasets.IterableDataset:
    """Large rows, which would be noticed if they were kept."""

    def generate(shards):
        for shard in shards:
            generator = np.random.default_rng(shard)
            for _ in range(shard_size):
                # 8 kB a row that the model does not see.
                yield {"pixel_values": generator.normal(size=SIZE).tolist(), "ballast": generator.bytes(8192)}

    dataset = datasets.IterableDataset.from_generator(generate, gen_kwargs={"shards": list(range(shards))})
    return dataset.shuffle(seed=0, buffer_size=1)


def growth(steps: int, warm_up: int = 100, workers: int = 0) -> float:
    """MiB that the memory grows by after the first `warm_up` of so many steps."""
    watch = Watch(warm_up)
    with tempfile.TemporaryDirectory() as folder:
        trainer = tiny_trainer(
            Path(folder),
            stream(),
            max_steps=steps,
            outlier_batch_size=32,
            outlier_shuffle_block=500,
            logging_steps=50,
            save_strategy="no",
            dataloader_num_workers=workers,
            callbacks=[watch],
        )
        trainer.train()
    return max(watch.mib.values()) - watch.mib[warm_up]


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=0)
    arguments = parser.parse_args(argv)
    print(
        f"{growth(arguments.steps, workers=arguments.workers):+.1f} MiB after the first 100 of {arguments.steps} steps"
    )


if __name__ == "__main__":
    main()
