"""CIFAR-10 against textures, scenes, house numbers, CIFAR-100 and noise (Table 1 of the paper).

    accelerate launch recipes/cifar10_oe.py --output_dir runs/cifar10

Trains the baseline, fine-tunes it with outliers, evaluates both and prints the table of before and after; model, card,
plots and `ood_results.json` are in `output_dir`. `--help` lists every argument; a YAML or JSON file of them may come
first. A CPU takes a smaller network:

    accelerate launch recipes/cifar10_oe.py recipes/small/cifar10.yaml --outliers tiny_imagenet
"""

from hf_oe.experiments.images import parse_arguments, run_image_experiment
from hf_oe.protocols.images import CIFAR10


def main() -> None:
    run_image_experiment(CIFAR10, *parse_arguments(CIFAR10))


if __name__ == "__main__":
    main()
