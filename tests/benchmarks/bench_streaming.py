"""Memory and speed of training with streamed outliers: a small and a 4 GB `.npy` file, and a set in memory."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from .memory import peak_mib
from .results import Result, table

_BATCH_SIZE = 64
_STEPS = 12
_SMALL, _LARGE = 10_000, 1_400_000  # images of 32x32x3 bytes: 31 MB and 4.3 GB
_REPEATS = 3


def write_images(path: Path, count: int) -> None:
    """Random images, written a block at a time: the memory of this process would count as that of its children."""
    block = np.random.default_rng(0).integers(0, 256, (10_000, 32, 32, 3), dtype=np.uint8)
    header = {"descr": "|u1", "fortran_order": False, "shape": (count, 32, 32, 3)}
    with open(path, "wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for start in range(0, count, len(block)):
            file.write(block[: count - start].tobytes())


def train(kind: str, path: str) -> None:
    """Trains and prints images a CPU second and the peak memory in MiB; run in a process of its own."""
    import datasets
    import torch

    from hf_oe import OETrainer, OETrainingArguments
    from hf_oe.data.corpora import load_source
    from hf_oe.data.images import BatchTransform, ImageDataset, prepare_images, stream_photographs
    from hf_oe.models import create_classifier

    datasets.disable_progress_bars()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    transform = BatchTransform((0.5,) * 3, (0.25,) * 3)
    if kind == "stream":
        outliers = stream_photographs(load_source(path, "train", streaming=True), 32, 3, transform)
    else:
        outliers = ImageDataset(prepare_images(load_source(path, "train"), 32), 32, 3, transform)
    images = torch.randn(_BATCH_SIZE * 4, 3, 32, 32)
    training_set = [{"pixel_values": image, "labels": place % 10} for place, image in enumerate(images)]
    arguments = OETrainingArguments(
        tempfile.mkdtemp(),
        max_steps=_STEPS,
        per_device_train_batch_size=_BATCH_SIZE,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        logging_strategy="no",
        dataloader_pin_memory=False,
    )
    trainer = OETrainer(
        create_classifier("wrn_16_1", 10), arguments, train_dataset=training_set, outlier_dataset=outliers
    )
    # Seconds of this process alone, so that others on the machine do not count.
    start = time.process_time()
    trainer.train()
    seconds = time.process_time() - start
    print(f"RESULT {2 * _BATCH_SIZE * _STEPS / seconds} {peak_mib()}", flush=True)


def measured(kind: str, path: Path) -> tuple[float, float]:
    command = [sys.executable, "-m", "tests.benchmarks.bench_streaming", kind, str(path)]
    output = subprocess.run(command, check=False, capture_output=True, text=True).stdout
    speed, peak = output.split("RESULT ")[1].split()[:2]
    return float(speed), float(peak)


def results(data_dir: Path | None = None) -> Iterator[Result]:
    with tempfile.TemporaryDirectory() as folder:
        small, large = Path(folder, "small.npy"), Path(folder, "large.npy")
        write_images(small, _SMALL)
        write_images(large, _LARGE)
        runs = {"in memory": ("memory", small), "small stream": ("stream", small), "4 GB stream": ("stream", large)}
        found = {name: [] for name in runs}
        for _ in range(_REPEATS):
            for name, run in runs.items():
                found[name].append(measured(*run))
    speed, peak = (
        {name: statistics.median(pair[place] for pair in pairs) for name, pairs in found.items()} for place in (0, 1)
    )
    yield Result(
        "images a CPU second", "4 GB stream / in memory", speed["4 GB stream"] / speed["in memory"], at_least=0.8
    )
    growth = peak["4 GB stream"] - peak["small stream"]
    yield Result("peak memory", "4 GB stream - 31 MB stream, MiB", growth, at_most=300)


def main() -> None:
    print(table(("streaming", result) for result in results()))


if __name__ == "__main__":
    train(*sys.argv[1:]) if len(sys.argv) > 1 else main()
