"""MNIST against photographs, clothes, letters and noise (Table 8 of the paper).

    accelerate launch recipes/mnist_oe.py --output_dir runs/mnist

Trains the baseline, fine-tunes it with outliers, evaluates both and prints the table of before and after; model, card,
plots and `ood_results.json` are in `output_dir`. `--help` lists every argument; a YAML or JSON file of them may come
first.
"""

from hf_oe.experiments.images import parse_arguments, run_image_experiment
from hf_oe.protocols.images import MNIST


def main() -> None:
    run_image_experiment(MNIST, *parse_arguments(MNIST))


if __name__ == "__main__":
    main()
