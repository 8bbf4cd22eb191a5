from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch
from transformers import AutoModel

from hf_oe.models import DCGANConfig, DCGANDiscriminator, DCGANGenerator


@pytest.mark.parametrize(("image_size", "num_channels"), [(28, 1), (32, 3), (64, 3), (8, 1)])
def test_images_of_any_even_size(image_size, num_channels):
    config = DCGANConfig(image_size=image_size, num_channels=num_channels, base_channels=4)
    generator, discriminator = DCGANGenerator(config), DCGANDiscriminator(config)
    images = generator(generator.noise(3))
    assert images.shape == (3, num_channels, image_size, image_size)
    assert images.min() >= 0 and images.max() <= 1
    assert discriminator(images).shape == (3,)


def test_widths_are_those_of_the_published_networks_at_32_pixels():
    config = DCGANConfig()
    generator = [tuple(weight.shape) for name, weight in DCGANGenerator(config).named_parameters() if weight.ndim == 4]
    assert generator == [(100, 512, 4, 4), (512, 256, 4, 4), (256, 128, 4, 4), (128, 3, 4, 4)]
    weights = [weight for weight in DCGANDiscriminator(config).parameters() if weight.ndim == 4]
    assert [tuple(weight.shape) for weight in weights] == [
        (64, 3, 4, 4),
        (128, 64, 4, 4),
        (256, 128, 4, 4),
        (1, 256, 4, 4),
    ]
    assert weights[1].std().item() == pytest.approx(0.02, rel=0.05)


def test_images_are_normalised_as_the_classifiers_inputs():
    settings = {"base_channels": 2, "image_size": 8, "mean": (0.5, 0.4, 0.3), "std": (0.1, 0.2, 0.3)}
    generator = DCGANGenerator(DCGANConfig(**settings)).eval()
    plain = DCGANGenerator(DCGANConfig(base_channels=2, image_size=8)).eval()
    plain.load_state_dict(generator.state_dict())
    latents = generator.noise(2)
    std, mean = torch.tensor([0.1, 0.2, 0.3]).view(-1, 1, 1), torch.tensor([0.5, 0.4, 0.3]).view(-1, 1, 1)
    torch.testing.assert_close(generator(latents) * std + mean, plain(latents))


WITHOUT_HF_OE = """
import sys
sys.modules["hf_oe"] = None  # makes every import of it fail
import torch
from transformers import AutoModel

expected = torch.load("expected.pt")
generator = AutoModel.from_pretrained("generator", trust_remote_code=True).eval()
assert torch.equal(generator(expected["latents"]), expected["images"])
"""


def test_a_saved_generator_loads_with_and_without_hf_oe(tmp_path):
    generator = DCGANGenerator(DCGANConfig(base_channels=2, image_size=8)).eval()
    generator.save_pretrained(tmp_path / "generator")
    latents = generator.noise(2)
    with torch.no_grad():
        images = generator(latents)
    assert torch.equal(AutoModel.from_pretrained(tmp_path / "generator").eval()(latents), images)
    torch.save({"latents": latents, "images": images}, tmp_path / "expected.pt")
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_MODULES_CACHE": str(tmp_path / "modules")}
    subprocess.run([sys.executable, "-c", WITHOUT_HF_OE], check=True, cwd=tmp_path, env=environment)


@pytest.mark.parametrize("settings", [{"image_size": 27}, {"image_size": 4}, {"latent_size": 0}, {"num_channels": 0}])
def test_impossible_settings_are_refused(settings):
    with pytest.raises(ValueError, match=f"`{next(iter(settings))}`"):
        DCGANConfig(**settings)
