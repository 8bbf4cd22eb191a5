from __future__ import annotations

import pytest
import timm
import torch
import torch.nn.functional as F

from hf_oe.models import MnistConvNetConfig, create_classifier


def digits(batch: int = 4) -> torch.Tensor:
    return torch.rand(batch, 1, 28, 28, generator=torch.Generator().manual_seed(0))


def test_parameter_count():
    assert create_classifier("oe_mnist_convnet", 10).num_parameters() == 21_840
    assert sum(value.numel() for value in timm.create_model("oe_mnist_convnet").parameters()) == 21_840


def test_computes_the_layers_of_the_protocol():
    model = create_classifier("oe_mnist_convnet", 10).eval()
    weights = model.base_model.state_dict()

    def gelu(x):
        return x * torch.sigmoid(1.702 * x)

    x = gelu(F.max_pool2d(F.conv2d(digits(), weights["conv1.weight"], weights["conv1.bias"]), 2))
    x = gelu(F.max_pool2d(F.conv2d(x, weights["conv2.weight"], weights["conv2.bias"]), 2))
    hidden = gelu(F.linear(x.flatten(1), weights["fc1.weight"], weights["fc1.bias"]))
    output = model(digits(), output_hidden_states=True)
    torch.testing.assert_close(output.hidden_states[0], hidden)
    torch.testing.assert_close(output.logits, F.linear(hidden, weights["fc2.weight"], weights["fc2.bias"]))
    trunk = timm.create_model("oe_mnist_convnet").eval()
    trunk.load_state_dict(weights)
    torch.testing.assert_close(trunk(digits()), output.logits)


def test_training_drops_whole_channels():
    trunk = create_classifier("oe_mnist_convnet", 10).base_model.train()
    torch.manual_seed(0)
    dropped = (trunk.dropout(torch.ones(8, 20, 8, 8)) == 0).float().mean(dim=(2, 3))
    assert set(dropped.flatten().tolist()) == {0.0, 1.0}


def test_images_of_another_size_are_refused():
    with pytest.raises(ValueError, match="28x28 pixels, got 32x32"):
        create_classifier("oe_mnist_convnet", 10)(torch.rand(2, 1, 32, 32))


def test_timm_interface():
    model = timm.create_model("oe_mnist_convnet", num_classes=7).eval()
    assert model(digits()).shape == (4, 7)
    model.reset_classifier(3)
    assert model.get_classifier().out_features == 3
    assert model(digits()).shape == (4, 3)
    model.reset_classifier(0)
    assert model(digits()).shape == (4, 50)
    with pytest.raises(ValueError, match="global_pool"):
        model.reset_classifier(3, global_pool="avg")
    features = timm.create_model("oe_mnist_convnet", features_only=True)(digits())
    assert [tuple(feature.shape[1:]) for feature in features] == [(10, 12, 12), (20, 4, 4)]


@pytest.mark.parametrize("settings", [{"dropout": -0.1}, {"num_channels": 0}])
def test_impossible_settings_are_refused(settings):
    with pytest.raises(ValueError, match=f"`{next(iter(settings))}`"):
        MnistConvNetConfig(**settings)
