"""PixelCNN++: causality, an exact and safe likelihood, initialisation, sampling, and what a saved one needs."""

import itertools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from hf_oe.models import PixelCNNPPConfig, PixelCNNPPModel
from hf_oe.models.pixelcnn_pp.layers_pixelcnn_pp import BlockPair, Dropout, GatedBlock, WeightNormalised
from hf_oe.models.pixelcnn_pp.logistic_mixture import (
    component_log_probabilities,
    discretized_logistic_log_probability,
    mixture_log_likelihood,
    parameters_per_mixture,
    sample_from_mixture,
)
from tests.benchmarks.bench_pixelcnn import StraightforwardPixelCNNPP

REFERENCE = Path(__file__).parents[3] / "shared" / "reference"
LEVELS = torch.arange(256) / 127.5 - 1


def images(count=4, channels=3, height=8, width=8, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(256, (count, channels, height, width), generator=generator) / 127.5 - 1


def small_model(**settings):
    torch.manual_seed(0)
    settings = {"image_size": 8, "filters": 4, "blocks": 1, "mixtures": 2, **settings}
    model = PixelCNNPPModel(PixelCNNPPConfig(**settings)).eval()
    model.initialize_from_batch(images(8, settings.get("num_channels", 3)))
    return model


def mixture_parameters(count=4, channels=3, mixtures=10, height=8, width=8, spread=1.0):
    size = parameters_per_mixture(channels) * mixtures
    return spread * torch.randn(count, size, height, width, generator=torch.Generator().manual_seed(1))


# ---- Causality ----


def is_later(place, pixel, scale, by_row):
    """Whether a place of a feature map `scale` times as coarse may depend on the pixel."""
    place = (place[0] * scale, place[1] * scale)
    return place[0] > pixel[0] if by_row else place > pixel


@pytest.mark.parametrize(("height", "width"), [(8, 8), (5, 7)])
@pytest.mark.parametrize("channel", range(3))
def test_no_layer_of_either_stream_sees_a_pixel_or_what_comes_after_it(height, width, channel):
    model = small_model(blocks=2)
    pixels = list(itertools.product(range(height), range(width)))
    original = images(1, 3, height, width)
    batch = original.repeat(1 + len(pixels), 1, 1, 1)
    for number, (row, column) in enumerate(pixels, start=1):
        batch[number, channel, row, column] *= -1
    maps = []
    for pair in model.modules():
        if isinstance(pair, BlockPair):
            pair.register_forward_hook(lambda _, __, output: maps.extend(stream.value for stream in output))
    with torch.no_grad():
        maps.append(model._parameters_of(batch, None))
    by_rows = [True, False] * (len(maps) // 2) + [False]
    for by_row, values in zip(by_rows, maps, strict=True):
        scale = next(scale for scale in (1, 2, 4) if -(-height // scale) == values.shape[2])
        changed = (values[1:] - values[:1]).abs().amax(dim=1) > 1e-6
        for pixel, places in zip(pixels, changed, strict=True):
            wrong = [place for place in places.nonzero().tolist() if not is_later(tuple(place), pixel, scale, by_row)]
            assert not wrong, f"{wrong} of a map of {tuple(values.shape)} depends on pixel {pixel}"
        assert changed[0].any(), "the first pixel must be seen by something"


def test_earlier_channels_of_a_pixel_do_not_depend_on_later_ones():
    parameters, pixels = mixture_parameters(), images()
    for channel in range(3):
        changed = pixels.clone()
        changed[:, channel] *= -1
        pairs = zip(
            component_log_probabilities(parameters, pixels),
            component_log_probabilities(parameters, changed),
            strict=True,
        )
        for place, (before, after) in enumerate(pairs):
            assert torch.equal(before, after) == (place < channel)


# ---- Likelihood ----


@pytest.mark.parametrize("log_scale", [-12.0, -7.0, -3.0, 0.0, 3.0, 12.0])
@pytest.mark.parametrize("mean", [-3.0, -1.0, 0.1234, 1.0, 3.0])
def test_the_256_levels_share_all_of_a_logistic(mean, log_scale):
    logs = discretized_logistic_log_probability(LEVELS, torch.tensor(mean), torch.tensor(log_scale))
    assert logs.exp().sum().item() == pytest.approx(1, abs=2e-5)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_256_levels_of_each_channel_share_the_probability_of_the_earlier_ones(channels):
    parameters = mixture_parameters(1, channels, height=1, width=1).expand(256, -1, -1, -1)
    for channel in range(channels):
        pixels = images(1, channels, 1, 1).repeat(256, 1, 1, 1)
        before = torch.zeros(())
        if channel > 0:
            before = list(component_log_probabilities(parameters, pixels))[channel - 1][0].logsumexp(dim=0)
        pixels[:, channel, 0, 0] = LEVELS
        with_it = list(component_log_probabilities(parameters, pixels))[channel].logsumexp(dim=1)
        assert with_it.logsumexp(dim=0).item() == pytest.approx(before.item(), abs=1e-4)


@pytest.mark.skipif(not REFERENCE.is_dir(), reason="needs ../shared/reference")
def test_matches_the_reference_likelihoods():
    vectors = np.load(REFERENCE / "pixelcnnpp_likelihood.npz")
    parameters, pixels = (torch.from_numpy(vectors[name]) for name in ("mixture_params", "pixels"))
    nll = -mixture_log_likelihood(parameters, pixels).sum(dim=(1, 2)).numpy()
    np.testing.assert_allclose(nll, vectors["nll_nats_per_image"], rtol=1e-5)


def test_gradient_is_that_of_the_plain_formula_with_any_weights():
    parameters, pixels = mixture_parameters().requires_grad_(), images()
    weights = torch.randn(4, 8, 8, generator=torch.Generator().manual_seed(2))
    (actual,) = torch.autograd.grad((mixture_log_likelihood(parameters, pixels) * weights).sum(), parameters)
    *_, joint = component_log_probabilities(parameters, pixels)
    (expected,) = torch.autograd.grad((joint.logsumexp(dim=1) * weights).sum(), parameters)
    torch.testing.assert_close(actual, expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("spread", [1.0, 100.0, 1e6])
@pytest.mark.parametrize("level", [-1.0, 0.0, 1.0])
def test_finite_at_the_extremes(dtype, spread, level):
    parameters = mixture_parameters(spread=spread).to(dtype).requires_grad_()
    log_likelihood = mixture_log_likelihood(parameters, torch.full((4, 3, 8, 8), level))
    assert log_likelihood.dtype == torch.float32 and torch.isfinite(log_likelihood).all()
    assert (log_likelihood <= 0).all()
    log_likelihood.sum().backward()
    assert torch.isfinite(parameters.grad).all() and parameters.grad.dtype == dtype


@pytest.mark.parametrize("autocast", [False, True])
@pytest.mark.parametrize("level", [-1.0, 1.0])
def test_black_and_white_images_have_finite_gradients_in_every_weight(autocast, level):
    model = small_model().train()
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        output = model(torch.full((2, 3, 8, 8), level))
    output.loss.backward()
    assert output.per_pixel.dtype == torch.float32
    assert all(torch.isfinite(parameter.grad).all() for parameter in model.parameters())


# ---- Model ----


def test_output():
    model, pixels = small_model(), images()
    output = model(pixels)
    assert output.per_pixel.shape == (4, 8, 8)
    torch.testing.assert_close(output.log_likelihood, output.per_pixel.sum(dim=(1, 2)))
    torch.testing.assert_close(output.bits_per_dim, -output.log_likelihood / np.log(2) / (3 * 8 * 8))
    torch.testing.assert_close(output.loss, output.bits_per_dim.mean())
    assert len(model(pixels, return_dict=False)) == 4 and model(pixels, return_loss=False).loss is None


def test_size_of_the_papers_model():
    with torch.device("meta"):
        assert PixelCNNPPModel(PixelCNNPPConfig()).num_parameters() == 53_659_080


def test_equals_a_straightforward_port_with_the_same_weights():
    filters = 4
    model, port = small_model(filters=filters), StraightforwardPixelCNNPP(filters, 1, 2, 0.5).eval()
    layers = [layer for layer in model.modules() if isinstance(layer, WeightNormalised)]
    port_layers = [layer for layer in port.modules() if hasattr(layer, "parametrizations")]
    with torch.no_grad():
        for layer, port_layer in zip(layers, port_layers, strict=True):
            weight, parts = layer.weight, port_layer.parametrizations.weight
            if weight.shape[1] == 4 * filters:  # the port joins two streams before the activation, the model after it
                weight = weight.unflatten(1, (2, 2, filters)).transpose(1, 2).flatten(1, 3)
            parts.original0.copy_(layer.gain.view_as(parts.original0))
            parts.original1.copy_(weight)
            port_layer.bias.copy_(layer.bias)
        expected = {}
        port.head.register_forward_hook(lambda _, __, output: expected.update(parameters=output))
        port(images())
        torch.testing.assert_close(model._parameters_of(images(), None), expected["parameters"], rtol=1e-4, atol=1e-4)


def test_data_dependent_initialisation_standardises_every_layer():
    model = small_model(dropout=0.0).train()
    layers = {name: layer for name, layer in model.named_modules() if isinstance(layer, WeightNormalised)}
    seen = {}
    for name, layer in layers.items():
        layer.register_forward_hook(lambda _, __, output, name=name: seen.update({name: output}))
    model(images(8))
    for name, output in seen.items():
        deviation, mean = torch.std_mean(output, dim=(0, 2, 3), correction=0)
        torch.testing.assert_close(mean, torch.zeros_like(mean), rtol=0, atol=1e-3)
        expected = 0.1 if name.endswith("conv_out") else 1.0
        torch.testing.assert_close(deviation, torch.full_like(mean, expected), rtol=1e-2, atol=0)


def test_initialisation_from_images_that_some_layers_see_nothing_of():
    model = PixelCNNPPModel(PixelCNNPPConfig(image_size=4, filters=4, blocks=1, mixtures=2, dropout=0.0))
    model.initialize_from_batch(images(8, 3, 4, 4))
    assert model(images(8, 3, 4, 4)).loss < 20
    model.initialize_from_batch(torch.ones(8, 3, 4, 4))
    assert torch.isfinite(model(images(8, 3, 4, 4)).loss)


def test_dropout_keeps_the_mean_in_any_memory_layout_and_acts_in_training_only():
    torch.manual_seed(0)
    dropout = Dropout(0.3).train()
    for memory_format in (torch.contiguous_format, torch.channels_last):
        x = torch.ones(8, 6, 15, 17).to(memory_format=memory_format).requires_grad_()
        out = dropout(x)
        assert (out == 0).float().mean().item() == pytest.approx(77 / 256, abs=0.02)
        assert out.mean().item() == pytest.approx(1, abs=0.03)
        out.sum().backward()
        assert torch.equal(x.grad, out.detach())
    assert torch.equal(dropout.eval()(x), x)


def test_class_conditioning():
    model = small_model(num_classes=3)
    pixels = images()
    unknown = model(pixels).log_likelihood
    torch.testing.assert_close(model(pixels, torch.full((4,), -100)).log_likelihood, unknown)
    for block in model.modules():
        if isinstance(block, GatedBlock):
            assert block.class_bias.weight.std() > 0
    assert not torch.allclose(model(pixels, torch.zeros(4, dtype=torch.int64)).log_likelihood, unknown)
    with pytest.raises(ValueError, match="the model has no classes"):
        small_model()(pixels, torch.zeros(4, dtype=torch.int64))


@pytest.mark.parametrize(("channels", "height", "width"), [(1, 8, 8), (3, 1, 1), (3, 7, 10)])
def test_grey_images_and_other_sizes(channels, height, width):
    output = small_model(num_channels=channels)(images(2, channels, height, width))
    assert output.per_pixel.shape == (2, height, width) and torch.isfinite(output.loss)


# ---- Sampling ----


def test_samples_of_a_pixel_follow_its_distribution():
    generator = torch.Generator().manual_seed(0)
    parameters = mixture_parameters(1, mixtures=2, height=1, width=1).expand(20_000, -1, -1, -1)
    samples = sample_from_mixture(parameters, 3, generator)
    levels = (samples + 1) * 127.5
    torch.testing.assert_close(levels, levels.round(), rtol=0, atol=1e-3)
    # The entropy, once from the samples' own likelihoods and once from red's frequencies, bin by bin.
    red = torch.bincount(levels[:, 0, 0, 0].round().long(), minlength=256) / len(samples)
    first, *_ = component_log_probabilities(parameters[:256], LEVELS.view(256, 1, 1, 1) * torch.ones(1, 3, 1, 1))
    assert (red.cumsum(0) - first.logsumexp(dim=1).flatten().exp().cumsum(0)).abs().max() < 0.015
    blue_given_red = np.corrcoef(samples[:, 0].flatten(), samples[:, 2].flatten())[0, 1]
    coefficients = parameters[0, 2:].unflatten(0, (3, 3, 2))[1, 2].tanh().flatten()
    assert np.sign(blue_given_red) == np.sign(coefficients.mean()) or abs(blue_given_red) < 0.1


def test_samples_pixel_by_pixel_and_repeats_with_a_seed():
    model = small_model(image_size=5).train()
    first, second = (model.sample(3, generator=torch.Generator().manual_seed(4), progress=False) for _ in range(2))
    assert first.shape == (3, 3, 5, 5) and first.abs().max() <= 1
    assert torch.equal(first, second) and model.training
    assert all(layer._kept is None for layer in model.modules() if isinstance(layer, WeightNormalised))


# ---- Saving ----


def test_a_saved_model_loads_where_this_library_is_not_installed(tmp_path):
    model = small_model()
    model.save_pretrained(tmp_path / "model")
    script = (
        "import sys, torch; from transformers import AutoModel;"
        "model = AutoModel.from_pretrained(sys.argv[1], trust_remote_code=True).eval();"
        "assert 'hf_oe' not in sys.modules;"
        "print(model(torch.zeros(1, 3, 8, 8)).bits_per_dim.item())"
    )
    run = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "model")],
        cwd=tmp_path,
        env={
            **{k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
            "HF_MODULES_CACHE": str(tmp_path / "modules"),
        },
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    expected = model(torch.zeros(1, 3, 8, 8)).bits_per_dim.item()
    assert float(run.stdout.split()[-1]) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    "settings",
    [{"num_channels": 2}, {"filters": 0}, {"blocks": 0}, {"mixtures": 0}, {"image_size": 0}, {"dropout": 1.0}]
    + [{"num_classes": -1}],
)
def test_impossible_settings_are_refused(settings):
    with pytest.raises(ValueError, match=f"`{next(iter(settings))}`"):
        PixelCNNPPConfig(**settings)
