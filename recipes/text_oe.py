"""Text classifiers against other text (the published version of the paper, ICLR 2019).

    accelerate launch recipes/text_oe.py --in_distribution trec --output_dir runs/trec
    accelerate launch recipes/text_oe.py --in_distribution sst --architecture distilbert/distilbert-base-uncased

The in-distribution sets of the paper are trec, sst and newsgroups20. Trains the baseline, fine-tunes it with sentences
of WikiText-2, evaluates both and prints the table of before and after; model, tokenizer, card, plots and
`ood_results.json` are in `output_dir`. `--help` lists every argument; a YAML or JSON file of them may come first.
"""

from hf_oe.experiments.texts import parse_text_arguments, run_text_experiment


def main() -> None:
    run_text_experiment(*parse_text_arguments())


if __name__ == "__main__":
    main()
