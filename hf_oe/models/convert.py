"""`python -m hf_oe.models.convert CHECKPOINT OUT --architecture wrn_40_2 --num_labels 10`

Turns a checkpoint of the Outlier Exposure authors' repository, or of a peer that kept its parameter names (`conv1`,
`block1.layer.0.bn1`, `fc` …; for MNIST `conv1`, `conv2`, `fc1`, `fc2`), into a saved transformers model.
"""

from __future__ import annotations

import argparse
import os
import pickle
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from .factory import ARCHITECTURES, create_classifier

_NESTED_UNDER = ("state_dict", "model", "net")
_PARALLEL_PREFIX = "module."


def read_checkpoint(path: str | Path) -> dict[str, Tensor]:
    """The parameters of a torch checkpoint or a `.safetensors` file, by name.

    Parameters nested under `state_dict`, `model` or `net` and named with the prefix `module.` (`DataParallel`) are
    found too. A torch checkpoint is read with `weights_only`: no code of it is run.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not a checkpoint, has code to run, or holds no parameters.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no checkpoint {str(path)!r}: name an existing file.")
    content: Any = _read_safetensors(path) if path.suffix == ".safetensors" else _read_torch(path)
    while isinstance(content, Mapping) and (inner := _nested(content)):
        content = inner[0]
    if not isinstance(content, Mapping) or not content or not all(isinstance(v, Tensor) for v in content.values()):
        raise ValueError(
            f"{str(path)!r} holds no state dict, neither itself nor under {', '.join(map(repr, _NESTED_UNDER))}: "
            "save `model.state_dict()`."
        )
    return {name.removeprefix(_PARALLEL_PREFIX): value for name, value in content.items()}


def _nested(content: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [content[key] for key in _NESTED_UNDER if isinstance(content.get(key), Mapping)]


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except SafetensorError as error:
        raise ValueError(f"{str(path)!r} is not a safetensors file ({error}).") from error


def _read_torch(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load raises what its unpickler happens to trip over
        if isinstance(error, pickle.UnpicklingError) and "GLOBAL" in str(error):
            raise ValueError(
                f"{str(path)!r} holds pickled code besides weights and is not read: save `model.state_dict()` instead."
            ) from error
        raise ValueError(f"{str(path)!r} is not a torch checkpoint, or is damaged.") from error


def convert_checkpoint(
    checkpoint: str | Path,
    output_dir: str | Path,
    architecture: str,
    num_labels: int,
    num_channels: int | None = None,
) -> None:
    """Writes the model of a checkpoint, with its code, into `output_dir`.

    Args:
        checkpoint: see `read_checkpoint`.
        output_dir: a folder that is empty or does not exist; it appears when it is complete.
        architecture: one of `hf_oe.models.ARCHITECTURES`.
        num_labels, num_channels: see `hf_oe.models.create_classifier`.

    Raises:
        FileExistsError: if `output_dir` holds something.
        ValueError: if the checkpoint cannot be read or is of another model.
    """
    output_dir = Path(output_dir)
    if output_dir.exists() and (not output_dir.is_dir() or any(output_dir.iterdir())):
        raise FileExistsError(f"{str(output_dir)!r} exists and is not an empty folder: choose another output.")
    if architecture not in ARCHITECTURES:
        raise ValueError(f"`architecture` must be one of {', '.join(ARCHITECTURES)}, got {architecture!r}.")
    model = create_classifier(architecture, num_labels, num_channels=num_channels)
    weights = read_checkpoint(checkpoint)
    _check(weights, model.base_model.state_dict(), f"{architecture} with {num_labels} labels")
    # Checkpoints of torch before 0.4.1 have no `num_batches_tracked`: the model keeps its zeros.
    model.base_model.load_state_dict(weights, strict=False)

    output_dir.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output_dir.parent, prefix=f".{output_dir.name}.") as staging:
        complete = Path(staging) / "model"
        model.save_pretrained(complete)
        if output_dir.exists():
            output_dir.rmdir()
        os.replace(complete, output_dir)


def _check(weights: Mapping[str, Tensor], expected: Mapping[str, Tensor], model: str) -> None:
    missing = [name for name in expected if name not in weights and not name.endswith("num_batches_tracked")]
    unexpected = [name for name in weights if name not in expected]
    reshaped = [
        f"{name} {tuple(weights[name].shape)} instead of {tuple(expected[name].shape)}"
        for name in expected
        if name in weights and weights[name].shape != expected[name].shape
    ]
    problems = {"lacks": missing, "has unexpected": unexpected, "has wrong shapes:": reshaped}
    found = "; ".join(f"{problem} {_first(names)}" for problem, names in problems.items() if names)
    if found:
        raise ValueError(f"The checkpoint is not of {model}: it {found}. {_describe(weights)}".rstrip())


def _first(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _describe(weights: Mapping[str, Tensor]) -> str:
    """What network the parameters are of, as far as their names and shapes tell."""
    wide_resnet = {"conv1.weight", "block1.layer.0.conv1.weight", "fc.weight"}
    convnet = {"conv1.weight", "conv2.weight", "fc1.weight", "fc2.weight"}
    if wide_resnet <= weights.keys():
        blocks = {name.split(".")[2] for name in weights if name.startswith("block1.layer.")}
        width = len(weights["block1.layer.0.conv1.weight"]) // 16
        network, head = f"Wide ResNet of depth {6 * len(blocks) + 4} and width {width}", "fc.weight"
    elif convnet <= weights.keys():
        network, head = "MNIST conv net", "fc2.weight"
    else:
        return ""
    channels = weights["conv1.weight"].shape[1]
    return f"The file holds a {network} with {len(weights[head])} labels and {channels} input channels."


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        "python -m hf_oe.models.convert",
        description="Turn a checkpoint with the authors' parameter names into a saved transformers model.",
    )
    parser.add_argument("checkpoint", help="a torch checkpoint or a .safetensors file")
    parser.add_argument("output_dir", metavar="out", help="a folder that is empty or does not exist")
    parser.add_argument("--architecture", required=True, help=", ".join(ARCHITECTURES))
    parser.add_argument("--num_labels", type=int, required=True, help="classes of the checkpoint")
    parser.add_argument("--num_channels", type=int, help="channels of the image, by default the architecture's")
    try:
        convert_checkpoint(**vars(parser.parse_args(arguments)))
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
