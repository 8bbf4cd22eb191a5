"""FSDP and DeepSpeed deal a recipe's model out to two processes, on CPUs, by the files in recipes/accelerate."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from .language_data import write_corpora

ROOT = Path(__file__).parents[1]
CONFIGURATIONS = ["fsdp", "deepspeed_zero2", "deepspeed_zero3"]


def launch(configuration, data_dir, output_dir, *more):
    command = [sys.executable, "-m", "accelerate.commands.launch"]
    command += ["--config_file", ROOT / "recipes" / "accelerate" / f"{configuration}.yaml", "--num_processes", "2"]
    command += ["--main_process_port", "0", ROOT / "tests" / "sharded_on_cpus.py", ROOT / "recipes/causal_lm_oe.py"]
    command += ["--data_dir", data_dir, "--in_distribution", data_dir / "tickets.txt", "--output_dir", output_dir]
    command += ["--config_overrides", "n_layer=2,n_embd=8,n_head=2", "--sequence_length", "12", "--max_steps", "4"]
    command += ["--per_device_train_batch_size", "4", "--save_strategy", "steps", "--save_steps", "2"]
    command += ["--save_total_limit", "3", *more]
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "DS_ACCELERATOR": "cpu", "PYTHONPATH": path}
    run = subprocess.run(list(map(str, command)), env=environment, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr[-3000:]
    return run.stdout


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
def test_a_recipe_runs_and_resumes_with_its_model_dealt_out(configuration, tmp_path):
    if configuration.startswith("deepspeed") and importlib.util.find_spec("deepspeed") is None:
        pytest.skip("needs deepspeed")
    write_corpora(tmp_path)
    run = tmp_path / "run"
    assert "| **Mean**" in launch(configuration, tmp_path, run)
    trained = load_file(run / "oe" / "model.safetensors")
    assert load_file(run / "model.safetensors").keys() == trained.keys()

    shutil.rmtree(run / "oe" / "checkpoint-4")
    for name in ("train_results.json", "model.safetensors"):
        (run / "oe" / name).unlink()
    launch(configuration, tmp_path, run, "--resume_from_checkpoint", "true")
    resumed = load_file(run / "oe" / "model.safetensors")
    assert all(torch.equal(value, resumed[name]) for name, value in trained.items())
