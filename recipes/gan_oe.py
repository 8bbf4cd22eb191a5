"""Outliers that a GAN makes, and Outlier Exposure with real ones on top (Table 4 of the paper).

    accelerate launch recipes/gan_oe.py --in_distribution mnist --output_dir runs/mnist_gan

Trains classifier and GAN together, fine-tunes the classifier with real outliers, evaluates both and prints the table
of before and after; model, card, plots and `ood_results.json` are in `output_dir`, the generator in `gan/generator`.
`--help` lists every argument; a YAML or JSON file of them may come first.
"""

from hf_oe.experiments.gans import parse_gan_arguments, run_gan_experiment


def main() -> None:
    run_gan_experiment(*parse_gan_arguments())


if __name__ == "__main__":
    main()
