"""Handwritten digits against photographs and letters, all from installed packages: Outlier Exposure in two minutes.

    accelerate launch recipes/digits_oe.py --output_dir runs/digits

Trains the baseline, fine-tunes it with outliers, evaluates both and prints the table of before and after; model, card,
plots and `ood_results.json` are in `output_dir`. `--help` lists every argument; a YAML or JSON file of them may come
first.
"""

from hf_oe.experiments.images import parse_arguments, run_image_experiment
from hf_oe.protocols.images import DIGITS


def main() -> None:
    run_image_experiment(DIGITS, *parse_arguments(DIGITS))


if __name__ == "__main__":
    main()
