"""Quiet and offline: no test may wait for a network or draw a progress bar."""

import os

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import datasets
import pytest
import torch
import transformers


@pytest.fixture(autouse=True, scope="session")
def quiet():
    transformers.utils.logging.disable_progress_bar()
    datasets.disable_progress_bars()
    # Small models gain nothing from threads, and lose much where several test runs share the cores.
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """What a test prepares must not be found again by the next."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "datasets_cache")
    monkeypatch.delenv("HF_OE_DATA_DIR", raising=False)
