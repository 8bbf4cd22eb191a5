"""The files in recipes/small are arguments that their recipes know."""

from functools import partial
from pathlib import Path

import pytest

from hf_oe.experiments import density, images, language_models
from hf_oe.protocols.images import CIFAR10
from hf_oe.protocols.language_models import PTB_CHAR, PTB_WORD

FOLDER = Path(__file__).parents[1] / "recipes" / "small"
PARSERS = {
    "cifar10": partial(images.parse_arguments, CIFAR10),
    "ptb_word": partial(language_models.parse_arguments, PTB_WORD),
    "ptb_char": partial(language_models.parse_arguments, PTB_CHAR),
    "pixelcnn": density.parse_arguments,
}


def test_every_file_is_tested():
    assert sorted(path.stem for path in FOLDER.glob("*.yaml")) == sorted(PARSERS)


@pytest.mark.parametrize("name", PARSERS)
def test_a_recipe_takes_the_file(name, tmp_path):
    args, training_args = PARSERS[name]([str(FOLDER / f"{name}.yaml"), "--output_dir", str(tmp_path)])
    assert training_args.output_dir == str(tmp_path) and training_args.use_cpu
    assert args.baseline_epochs < {"cifar10": 6}.get(name, 5) and args.oe_epochs < 5
