"""The files in recipes/accelerate are read by accelerate as they are meant, and hold no option it does not know."""

from pathlib import Path

import pytest
import yaml
from accelerate.commands.config.config_args import load_config_from_file
from accelerate.commands.launch import launch_command_parser

FOLDER = Path(__file__).parents[1] / "recipes" / "accelerate"
EXPECTED = {
    "one_gpu": ("NO", 1, 1),
    "ddp": ("MULTI_GPU", 1, 8),
    "fsdp": ("FSDP", 1, 8),
    "deepspeed_zero2": ("DEEPSPEED", 1, 8),
    "deepspeed_zero3": ("DEEPSPEED", 1, 8),
    "several_nodes": ("MULTI_GPU", 8, 64),
}


def test_every_file_is_tested():
    assert sorted(path.stem for path in FOLDER.glob("*.yaml")) == sorted(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_accelerate_reads_the_file(name):
    config = load_config_from_file(str(FOLDER / f"{name}.yaml"))
    assert (config.distributed_type.value, config.num_machines, config.num_processes) == EXPECTED[name]
    assert config.mixed_precision == "bf16" and not config.use_cpu


@pytest.mark.parametrize("name", EXPECTED)
def test_the_launcher_knows_every_option(name):
    known = {option.lstrip("-") for option in launch_command_parser()._option_string_actions}
    settings = yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    nested = {key for part in ("fsdp_config", "deepspeed_config") for key in settings.get(part, {})}
    assert nested <= known


@pytest.mark.parametrize("name", EXPECTED)
def test_the_launcher_takes_a_recipe_with_it(name):
    line = ["--config_file", str(FOLDER / f"{name}.yaml"), "recipes/cifar10_oe.py", "--output_dir", "run"]
    arguments = launch_command_parser().parse_args(line)
    assert arguments.training_script_args == ["--output_dir", "run"]
