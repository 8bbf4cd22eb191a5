"""The Penn Treebank's words against the English Web Treebank (Table 6 of the paper).

    accelerate launch recipes/ptb_word_oe.py --output_dir runs/ptb_word

Trains an AWD-LSTM, fine-tunes it with WikiText-2 as outliers, evaluates both and prints the table of before and after;
model, card, plots, flagged passages and `ood_results.json` are in `output_dir`. `--help` lists every argument; a YAML
or JSON file of them may come first. A CPU takes a smaller model:

    accelerate launch recipes/ptb_word_oe.py recipes/small/ptb_word.yaml
"""

from hf_oe.experiments.language_models import parse_arguments, run_language_experiment
from hf_oe.protocols.language_models import PTB_WORD


def main() -> None:
    run_language_experiment(PTB_WORD, *parse_arguments(PTB_WORD))


if __name__ == "__main__":
    main()
