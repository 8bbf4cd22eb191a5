import torch

from hf_oe.data.generated import GeneratedImages
from hf_oe.models import DCGANConfig, DCGANGenerator


def rows(dataset, indices):
    return torch.stack([row["pixel_values"] for row in dataset.__getitems__(indices)])


def test_each_image_is_a_function_of_seed_and_index():
    generator = DCGANGenerator(DCGANConfig(image_size=8, base_channels=2)).train()
    images = GeneratedImages(generator, count=10)
    both = rows(images, [7, 2])
    torch.testing.assert_close(both, torch.stack([images[7]["pixel_values"], images[2]["pixel_values"]]))
    assert len(images) == 10 and both.shape == (2, 3, 8, 8) and not both.requires_grad
    assert not torch.allclose(both[0], both[1])
    assert not torch.allclose(rows(GeneratedImages(generator, 10, seed=1), [7]), both[:1])
