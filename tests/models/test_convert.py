from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from transformers import AutoModelForImageClassification

from hf_oe.models import create_classifier
from hf_oe.models.convert import convert_checkpoint, main


def trunk_weights(name: str = "wrn_16_1", num_labels: int = 3) -> dict[str, torch.Tensor]:
    return create_classifier(name, num_labels).base_model.state_dict()


def save(content: object, path: Path) -> Path:
    torch.save(content, path)
    return path


def test_command_line_writes_a_loadable_model(tmp_path):
    weights = trunk_weights("oe_mnist_convnet", 10)
    checkpoint = save(weights, tmp_path / "mnist.pt")
    main([str(checkpoint), str(tmp_path / "out"), "--architecture", "oe_mnist_convnet", "--num_labels", "10"])
    model = AutoModelForImageClassification.from_pretrained(tmp_path / "out")
    torch.testing.assert_close(model.base_model.state_dict(), weights)
    assert sorted(os.listdir(tmp_path)) == ["mnist.pt", "out"]


@pytest.mark.parametrize("nested", [None, "state_dict", "model", "net"])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_reads_the_usual_forms_of_a_checkpoint(nested, prefix, tmp_path):
    weights = {name: value for name, value in trunk_weights().items() if "num_batches_tracked" not in name}
    content = {prefix + name: value for name, value in weights.items()}
    checkpoint = save({"model": "wrn", nested: content, "epoch": 7} if nested else content, tmp_path / "checkpoint.pt")
    convert_checkpoint(checkpoint, tmp_path / "out", "wrn_16_1", 3)
    loaded = AutoModelForImageClassification.from_pretrained(tmp_path / "out").base_model.state_dict()
    torch.testing.assert_close({name: loaded[name] for name in weights}, weights)


def test_reads_safetensors_into_an_empty_folder(tmp_path):
    save_file(trunk_weights(), tmp_path / "checkpoint.safetensors")
    (tmp_path / "out").mkdir()
    convert_checkpoint(tmp_path / "checkpoint.safetensors", tmp_path / "out", "wrn_16_1", 3)
    assert (tmp_path / "out" / "model.safetensors").is_file()


def without(weights: dict[str, torch.Tensor], name: str) -> dict[str, torch.Tensor]:
    return {key: value for key, value in weights.items() if key != name}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda: without(trunk_weights(), "bn1.weight"), "lacks bn1.weight"),
        (lambda: {**trunk_weights(), "extra": torch.ones(1)}, "has unexpected extra"),
        (lambda: trunk_weights("wrn_16_2", 7), "depth 16 and width 2 with 7 labels and 3 input channels"),
        (lambda: trunk_weights("wrn_40_2"), "depth 40 and width 2 with 3 labels"),
        (lambda: trunk_weights("oe_mnist_convnet", 10), "MNIST conv net with 10 labels and 1 input channels"),
        (lambda: {"weights": [1, 2]}, "holds no state dict"),
        (lambda: torch.ones(3), "holds no state dict"),
        (lambda: {"state_dict": trunk_weights(), "hook": os.getcwd}, "holds pickled code"),
    ],
)
def test_wrong_checkpoints_end_with_one_sentence_and_no_output(content, message, tmp_path):
    checkpoint = save(content(), tmp_path / "checkpoint.pt")
    with pytest.raises(SystemExit) as exit_info:
        main([str(checkpoint), str(tmp_path / "out"), "--architecture", "wrn_16_1", "--num_labels", "3"])
    assert message in exit_info.value.code
    assert "\n" not in exit_info.value.code
    assert os.listdir(tmp_path) == ["checkpoint.pt"]


@pytest.mark.parametrize(("name", "kind"), [("a.pt", "torch checkpoint"), ("a.safetensors", "safetensors file")])
@pytest.mark.parametrize("content", [b"", b"hello world"])
def test_other_files_are_refused(name, kind, content, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=f"is not a {kind}"):
        convert_checkpoint(tmp_path / name, tmp_path / "out", "wrn_16_1", 3)


def test_what_exists_is_not_overwritten_and_what_is_missing_is_named(tmp_path):
    checkpoint = save(trunk_weights(), tmp_path / "checkpoint.pt")
    with pytest.raises(FileExistsError, match="choose another output"):
        convert_checkpoint(checkpoint, tmp_path, "wrn_16_1", 3)
    with pytest.raises(FileNotFoundError, match="no checkpoint"):
        convert_checkpoint(tmp_path / "none.pt", tmp_path / "out", "wrn_16_1", 3)
    with pytest.raises(ValueError, match="`architecture` must be one of"):
        convert_checkpoint(checkpoint, tmp_path / "out", "resnet18", 3)
