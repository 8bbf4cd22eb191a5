from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import nn

from hf_oe.models import WideResNetConfig, create_classifier
from hf_oe.models.wide_resnet.modeling_wide_resnet import WideResNetBlock

REFERENCE = Path(__file__).parents[3] / "shared" / "reference"


def images(batch: int = 4, size: int = 8) -> torch.Tensor:
    return torch.randn(batch, 3, size, size, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("wrn_40_4", 8_949_210), ("wrn_40_2", 2_243_546), ("wrn_16_4", 2_748_890), ("wrn_16_2", 691_674)],
)
def test_parameter_counts(name, parameters):
    assert create_classifier(name, 10).num_parameters() == parameters
    assert sum(value.numel() for value in timm.create_model(name).parameters()) == parameters


@pytest.mark.skipif(not REFERENCE.is_dir(), reason="needs ../shared/reference")
def test_matches_the_reference_logits():
    weights = load_file(REFERENCE / "wrn_16_2.safetensors")
    vectors = np.load(REFERENCE / "wrn_16_2_io.npz")
    model = create_classifier("wrn_16_2", 10).eval()
    trunk = timm.create_model("wrn_16_2").eval()
    model.base_model.load_state_dict(weights)
    trunk.load_state_dict(weights)
    with torch.no_grad():
        pixel_values = torch.from_numpy(vectors["pixel_values"])
        for logits in model(pixel_values).logits, trunk(pixel_values):
            np.testing.assert_allclose(logits.numpy(), vectors["logits"], atol=1e-6)


def test_initialised_as_by_the_authors():
    torch.manual_seed(0)
    for model in create_classifier("wrn_16_4", 10), timm.create_model("wrn_16_4"):
        for module in model.modules():
            if isinstance(module, nn.Conv2d) and module.weight.numel() > 4000:
                kernel_area = module.kernel_size[0] * module.kernel_size[1]
                expected = math.sqrt(2 / (kernel_area * module.out_channels))
                assert module.weight.std().item() == pytest.approx(expected, rel=0.05)
            elif isinstance(module, nn.BatchNorm2d):
                assert (module.weight == 1).all() and (module.bias == 0).all()
            elif isinstance(module, nn.Linear):
                bound = 1 / math.sqrt(module.in_features)
                assert (module.bias == 0).all()
                assert module.weight.abs().max() <= bound
                assert module.weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.05)


def test_dropout_of_the_paper_acts_in_training_only():
    model = create_classifier("wrn_40_2", 3)
    assert model.config.dropout == 0.3
    model.eval()
    assert torch.equal(model(images()).logits, model(images()).logits)
    for module in model.train().modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
    assert not torch.equal(model(images()).logits, model(images()).logits)


@pytest.mark.parametrize("out_channels", [3, 6])
def test_block_has_the_layers_of_the_paper(out_channels):
    block = WideResNetBlock(3, out_channels, stride=1, dropout=0.5)
    torch.manual_seed(0)
    output = block(images())
    torch.manual_seed(0)
    activated = block.bn1(images()).relu()
    residual = block.conv2(F.dropout(block.bn2(block.conv1(activated)).relu(), 0.5))
    shortcut = images() if out_channels == 3 else block.convShortcut(activated)
    torch.testing.assert_close(output, shortcut + residual)


def test_takes_images_of_any_size_and_returns_features():
    model = create_classifier("wrn_16_1", 3, num_channels=3).eval()
    for size in 8, 20, 33:
        output = model(images(2, size), output_hidden_states=True)
        (features,) = output.hidden_states
        assert features.shape == (2, 64)
        torch.testing.assert_close(model.wide_resnet.fc(features), output.logits)
    assert model(images()).hidden_states is None
    assert len(model(images(), labels=torch.tensor([0, 1, 2, 0]), return_dict=False)) == 2


def test_loss_ignores_unlabelled_rows():
    model = create_classifier("wrn_16_1", 3).eval()
    loss = model(images(), labels=torch.tensor([0, 1, -100, -100])).loss
    torch.testing.assert_close(loss, model(images()[:2], labels=torch.tensor([0, 1])).loss)


def train_step(model: nn.Module) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    torch.manual_seed(1)
    output = model.train()(images())
    logits = output if isinstance(output, torch.Tensor) else output.logits
    nn.functional.cross_entropy(logits, torch.tensor([0, 1, 2, 0])).backward()
    return {name: value.grad for name, value in model.named_parameters()}, dict(model.named_buffers())


@pytest.mark.parametrize("use_reentrant", [False, True])
def test_gradient_checkpointing_changes_neither_gradients_nor_statistics(use_reentrant):
    plain = create_classifier("wrn_16_1", 3)
    checkpointed = create_classifier("wrn_16_1", 3)
    checkpointed.load_state_dict(plain.state_dict())
    checkpointed.gradient_checkpointing_enable({"use_reentrant": use_reentrant})
    assert checkpointed.is_gradient_checkpointing
    torch.testing.assert_close(train_step(checkpointed), train_step(plain))


def test_gradient_checkpointing_of_the_timm_model():
    plain, checkpointed = timm.create_model("wrn_16_1", num_classes=3), timm.create_model("wrn_16_1", num_classes=3)
    checkpointed.load_state_dict(plain.state_dict())
    checkpointed.set_grad_checkpointing()
    torch.testing.assert_close(train_step(checkpointed), train_step(plain))


def test_timm_interface():
    model = timm.create_model("wrn_16_2", num_classes=7, in_chans=1, drop_rate=0.1).eval()
    grey = images()[:, :1]
    assert model(grey).shape == (4, 7)
    assert model.get_classifier().out_features == 7
    model.reset_classifier(3)
    assert model(grey).shape == (4, 3)
    model.reset_classifier(0)
    assert model(grey).shape == (4, model.num_features)
    model.reset_classifier(0, global_pool="")
    assert model(grey).shape == (4, model.num_features, 2, 2)
    assert model.forward_head(model.forward_features(grey), pre_logits=True).shape == (4, model.num_features, 2, 2)


def test_timm_features():
    model = timm.create_model("wrn_16_2", features_only=True)
    assert model.feature_info.channels() == [32, 64, 128]
    assert [tuple(feature.shape[1:]) for feature in model(images())] == [(32, 8, 8), (64, 4, 4), (128, 2, 2)]
    (last,) = timm.create_model("wrn_16_2", features_only=True, out_indices=(2,))(images())
    assert last.shape == (4, 128, 2, 2)


@pytest.mark.parametrize(
    "settings", [{"depth": 41}, {"depth": 4}, {"widen_factor": 0}, {"num_channels": 0}, {"dropout": 1.5}]
)
def test_impossible_settings_are_refused(settings):
    with pytest.raises(ValueError, match=f"`{next(iter(settings))}`"):
        WideResNetConfig(**settings)
