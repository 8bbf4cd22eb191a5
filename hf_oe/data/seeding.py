"""Randomness that is a function of a place in the data, so that a resumed run draws what it would have drawn."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def seeded(seed: Sequence[int]) -> Iterator[None]:
    """Runs the block with Python's, NumPy's and torch's CPU generators seeded, and puts their states back after it."""
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    number = int(np.random.SeedSequence(seed).generate_state(1)[0])
    random.seed(number)
    np.random.seed(number)
    torch.default_generator.manual_seed(number)
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])
