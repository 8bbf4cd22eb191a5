from __future__ import annotations

import os
import subprocess
import sys

import pytest
import timm
import torch
from torch.utils.data import Dataset
from transformers import AutoModelForImageClassification, Trainer, TrainingArguments

from hf_oe.models import create_classifier

SMALL = {"wrn_16_1": (3, 8, 8), "oe_mnist_convnet": (1, 28, 28)}


def images(name: str, batch: int = 4) -> torch.Tensor:
    return torch.rand(batch, *SMALL[name], generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", SMALL)
def test_saved_and_loaded_gives_identical_logits(name, tmp_path):
    model = create_classifier(name, 3, id2label={0: "ant", 1: "bee", 2: "cat"}).eval()
    model.save_pretrained(tmp_path)
    for loaded in AutoModelForImageClassification.from_pretrained(tmp_path), create_classifier(str(tmp_path), 3):
        assert type(loaded) is type(model)
        assert loaded.config.id2label == {0: "ant", 1: "bee", 2: "cat"}
        assert torch.equal(loaded.eval()(images(name)).logits, model(images(name)).logits)


WITHOUT_HF_OE = """
import sys
sys.modules["hf_oe"] = None  # makes every import of it fail
import torch
from transformers import AutoModelForImageClassification

def load(folder, **kwargs):
    return AutoModelForImageClassification.from_pretrained(folder, trust_remote_code=True, **kwargs).eval()

for folder in sys.argv[1:]:
    expected = torch.load(folder + "/expected.pt")
    model = load(folder)
    assert torch.equal(model(expected["pixel_values"]).logits, expected["logits"])
    assert model.accepts_loss_kwargs is False
    model.save_pretrained(folder + "_again")
    model = load(folder + "_again", num_labels=5, ignore_mismatched_sizes=True)
    assert model(expected["pixel_values"]).logits.shape == (4, 5)
"""


def test_loads_in_a_fresh_process_without_hf_oe(tmp_path):
    for name in SMALL:
        model = create_classifier(name, 3).eval()
        model.save_pretrained(tmp_path / name)
        with torch.no_grad():
            expected = {"pixel_values": images(name), "logits": model(images(name)).logits}
        torch.save(expected, tmp_path / name / "expected.pt")
    subprocess.run(
        [sys.executable, "-c", WITHOUT_HF_OE, *(tmp_path / name for name in SMALL)],
        check=True,
        cwd=tmp_path,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "HF_MODULES_CACHE": str(tmp_path / "modules")},
    )


@pytest.mark.parametrize("name", SMALL)
def test_another_number_of_classes_replaces_only_the_head(name, tmp_path):
    saved = create_classifier(name, 3)
    saved.save_pretrained(tmp_path)
    model = create_classifier(str(tmp_path), 5)
    assert model(images(name)).logits.shape == (4, 5)
    torch.testing.assert_close(model.base_model.conv1.weight, saved.base_model.conv1.weight)
    head = model.base_model.fc if name == "wrn_16_1" else model.base_model.fc2
    assert 0.5 < head.weight.std() * (3 * head.in_features) ** 0.5 < 1.5


def test_settings_reach_the_configuration():
    config = create_classifier("wrn_16_4", 5, num_channels=1, dropout=0.1).config
    assert (config.depth, config.widen_factor, config.num_channels, config.dropout) == (16, 4, 1, 0.1)
    assert config.num_labels == 5
    assert create_classifier("oe_mnist_convnet", 10).config.num_channels == 1


def test_timm_architecture_keeps_its_own_initialisation(tmp_path):
    torch.manual_seed(0)
    model = create_classifier("resnet10t", 4, num_channels=1, id2label=dict(enumerate("abcd")))
    torch.manual_seed(0)
    own = timm.create_model("resnet10t", num_classes=4, in_chans=1)
    for name, value in model.timm_model.named_parameters():
        if value.ndim == 4 and value.numel() > 4000:
            assert value.std().item() == pytest.approx(own.get_parameter(name).std().item(), rel=0.1)
    model.eval().save_pretrained(tmp_path)
    loaded = create_classifier(str(tmp_path), 4).eval()
    pixel_values = torch.rand(2, 1, 32, 32)
    torch.testing.assert_close(loaded(pixel_values).logits, model(pixel_values).logits)


def test_unknown_names_are_answered_with_the_nearest():
    with pytest.raises(ValueError, match="Unknown `architecture` 'wrn_40_5': did you mean .*'wrn_40_4'"):
        create_classifier("wrn_40_5", 10)
    with pytest.raises(ValueError, match="Unknown `architecture` './no/such/folder'"):
        create_classifier("./no/such/folder", 10)


def test_pretrained_weights_of_timm_are_not_mistaken_for_an_architecture():
    with pytest.raises(ValueError, match="load them from the Hub as 'timm/resnet18.a1_in1k'"):
        create_classifier("resnet18.a1_in1k", 10)


def test_labels_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="`id2label` must name the classes 0 to 2"):
        create_classifier("wrn_16_1", 3, id2label={0: "ant", 1: "bee"})
    with pytest.raises(ValueError, match="`num_labels` must be at least 1"):
        create_classifier("wrn_16_1", 0)


class Images(Dataset):
    def __init__(self, name: str):
        self.pixel_values = images(name, 8)

    def __len__(self) -> int:
        return len(self.pixel_values)

    def __getitem__(self, index: int) -> dict[str, object]:
        return {"pixel_values": self.pixel_values[index], "labels": index % 3}


@pytest.mark.parametrize("name", SMALL)
def test_trains_and_predicts_with_the_trainer(name, tmp_path):
    model = create_classifier(name, 3)
    before = model.base_model.conv1.weight.clone()
    args = TrainingArguments(
        str(tmp_path),
        max_steps=2,
        per_device_train_batch_size=4,
        gradient_checkpointing=name == "wrn_16_1",
        use_cpu=True,
        report_to="none",
        disable_tqdm=True,
        save_strategy="no",
    )
    trainer = Trainer(model, args, train_dataset=Images(name))
    trainer.train()
    assert not torch.equal(model.base_model.conv1.weight, before)
    assert trainer.predict(Images(name)).predictions.shape == (8, 3)
