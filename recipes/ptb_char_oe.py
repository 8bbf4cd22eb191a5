"""The Penn Treebank's characters against the English Web Treebank (Table 6 of the paper).

    accelerate launch recipes/ptb_char_oe.py --output_dir runs/ptb_char

Trains a quasi-recurrent network, fine-tunes it with WikiText-2 as outliers, evaluates both and prints the table of
before and after; model, card, plots, flagged passages and `ood_results.json` are in `output_dir`. `--help` lists every
argument; a YAML or JSON file of them may come first. A CPU takes a smaller model:

    accelerate launch recipes/ptb_char_oe.py recipes/small/ptb_char.yaml
"""

from hf_oe.experiments.language_models import parse_arguments, run_language_experiment
from hf_oe.protocols.language_models import PTB_CHAR


def main() -> None:
    run_language_experiment(PTB_CHAR, *parse_arguments(PTB_CHAR))


if __name__ == "__main__":
    main()
