"""A step of language-model Outlier Exposure against a plain step on as many tokens: seconds, and peak memory.

    python -m tests.benchmarks.bench_language_model

20 + 20 sequences of 70 words against 40, a vocabulary of 10,000, an LSTM of 200 units. Peak memory is that of the
device on a GPU, and what a process of its own adds to its resident memory on a CPU.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
from transformers import Trainer, TrainingArguments, default_data_collator

from hf_oe import OELanguageModelTrainer, OETrainingArguments
from hf_oe.data.sequences import TokenSequences
from hf_oe.models import AWDLSTMConfig, AWDLSTMForCausalLM

from .memory import peak_mib
from .results import Result, table
from .timing import median_seconds

_STEPS, _ROWS, _LENGTH, _VOCABULARY = 8, 40, 70, 10_000


def train(kind: str, folder: str, steps: int = _STEPS) -> None:
    """Trains a new model for some steps, `kind` "plain" or "exposed"."""
    stream = np.random.default_rng(0).integers(0, _VOCABULARY, _ROWS * steps * _LENGTH + 1)
    dataset = TokenSequences(stream, _LENGTH)
    model = AWDLSTMForCausalLM(AWDLSTMConfig(_VOCABULARY, embedding_size=200, hidden_size=200, num_layers=1))
    common = {
        "output_dir": folder,
        "max_steps": steps,
        "save_strategy": "no",
        "logging_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "dataloader_pin_memory": False,
    }
    if kind == "plain":
        args = TrainingArguments(per_device_train_batch_size=_ROWS, **common)
        Trainer(model, args, train_dataset=dataset, data_collator=default_data_collator).train()
    else:
        args = OETrainingArguments(per_device_train_batch_size=_ROWS // 2, objective="token_uniform", **common)
        OELanguageModelTrainer(
            model, args, train_dataset=dataset, outlier_dataset=dataset, data_collator=default_data_collator
        ).train()


def peak_megabytes(kind: str) -> float:
    """What three steps add to the memory of a process; to be called in one of its own."""
    with tempfile.TemporaryDirectory() as folder:
        if torch.cuda.is_available():
            train(kind, folder, 3)
            return torch.cuda.max_memory_allocated() / 2**20
        before = peak_mib()
        train(kind, folder, 3)
        return peak_mib() - before


def _in_a_process(kind: str) -> float:
    command = [sys.executable, "-m", __spec__.name, kind]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


def results(data_dir: Path | None = None) -> Iterator[Result]:
    peaks = {kind: _in_a_process(kind) for kind in ("plain", "exposed")}
    with tempfile.TemporaryDirectory() as folder:
        seconds = median_seconds({kind: partial(train, kind, folder) for kind in peaks}, 5)
    yield Result("a step, tokens/s", "exposed / plain", seconds["plain"] / seconds["exposed"], at_least=0.9)
    yield Result("a step, peak memory", "exposed / plain", peaks["exposed"] / peaks["plain"], at_most=1.2)


def main() -> None:
    print(table(("language_model", result) for result in results()))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(peak_megabytes(sys.argv[1]))
    else:
        main()
