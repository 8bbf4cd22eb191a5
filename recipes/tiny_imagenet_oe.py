"""Tiny ImageNet against textures, scenes, other ImageNet classes and noise (Table 1 of the paper).

    accelerate launch recipes/tiny_imagenet_oe.py --output_dir runs/tiny_imagenet

Trains the baseline, fine-tunes it with outliers, evaluates both and prints the table of before and after; model, card,
plots and `ood_results.json` are in `output_dir`. `--help` lists every argument; a YAML or JSON file of them may come
first.
"""

from hf_oe.experiments.images import parse_arguments, run_image_experiment
from hf_oe.protocols.images import TINY_IMAGENET


def main() -> None:
    run_image_experiment(TINY_IMAGENET, *parse_arguments(TINY_IMAGENET))


if __name__ == "__main__":
    main()
