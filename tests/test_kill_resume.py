"""Kills and signals in processes of their own, and memory: short runs of the benchmarks kill_resume and memory."""

import os
import signal
import time
from pathlib import Path

import pytest

from hf_oe.callbacks import REQUEUE_EXIT_CODE
from hf_oe.checkpoints import last_good_checkpoint

from .benchmarks.kill_resume import OUTLIERS, Run, kill_test
from .benchmarks.memory import growth


@pytest.mark.parametrize("outliers", OUTLIERS)
def test_runs_killed_at_random_moments_end_as_whole_ones_do(tmp_path, outliers):
    counts = kill_test(tmp_path, outliers, processes=1, kills=2, steps=30)
    assert counts["kills"] == 2 and counts["different"] == 0


def test_a_signal_to_one_of_two_processes_stops_both_after_the_same_step(tmp_path):
    run = Run(tmp_path / "run", "stream", processes=2, steps=3000)
    pids = run.start()
    while not last_good_checkpoint(run.folder):
        time.sleep(0.05)
    os.kill(pids[1], signal.SIGTERM)
    run.finish(pids, expected=REQUEUE_EXIT_CODE)
    saved = Path(last_good_checkpoint(run.folder))
    assert {path.name for path in saved.glob("resume_state_*")} == {"resume_state_0.pt", "resume_state_1.pt"}


def test_memory_does_not_grow_with_the_steps():
    assert growth(150, warm_up=50) < 20
