"""CIFAR-100 against textures, scenes, house numbers, CIFAR-10 and noise (Table 1 of the paper).

    accelerate launch recipes/cifar100_oe.py --output_dir runs/cifar100

Trains the baseline, fine-tunes it with outliers, evaluates both and prints the table of before and after; model, card,
plots and `ood_results.json` are in `output_dir`. `--help` lists every argument; a YAML or JSON file of them may come
first.
"""

from hf_oe.experiments.images import parse_arguments, run_image_experiment
from hf_oe.protocols.images import CIFAR100


def main() -> None:
    run_image_experiment(CIFAR100, *parse_arguments(CIFAR100))


if __name__ == "__main__":
    main()
