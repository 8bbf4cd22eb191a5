r"""Any causal language model on any text: it learns your domain, and to be unsure of other text.

    accelerate launch recipes/causal_lm_oe.py --architecture your/model --in_distribution tickets.txt \
        --outliers wikitext2 --ood_corpora english_web_treebank spam.txt --output_dir runs/tickets

Fine-tunes the model on your text (or takes `--baseline` as it is), then exposes it to outliers, evaluates both and
prints the table of before and after; model, card, plots, flagged passages and `ood_results.json` are in `output_dir`.
Texts are corpus names, .txt files (a text a line), parquet files with a column `text`, or Hub datasets. A model type
is trained from scratch: `--architecture gpt2 --config_overrides n_layer=2,n_embd=128,n_head=4`, while
`--architecture openai-community/gpt2` is the pretrained model.
"""

from hf_oe.experiments.language_models import parse_arguments, run_language_experiment
from hf_oe.protocols.language_models import CAUSAL_LM


def main() -> None:
    run_language_experiment(CAUSAL_LM, *parse_arguments(CAUSAL_LM))


if __name__ == "__main__":
    main()
