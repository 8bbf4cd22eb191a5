"""The recipes for language models end to end in their smallest form, on text that the test makes."""

import pytest

from tests.language_data import write_corpora
from tests.test_recipes import check_outputs, launch

SMALL = ["--max_steps", "2", "--per_device_train_batch_size", "4", "--sequence_length", "12", "--use_cpu", "true"]


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("text")
    write_corpora(folder)
    return folder


RECIPES = {
    "ptb_word_oe": ["--config_overrides", "hidden_size=8,embedding_size=6,num_layers=2"],
    "ptb_char_oe": ["--config_overrides", "hidden_size=8,embedding_size=6,num_layers=2"],
    "causal_lm_oe": ["--config_overrides", "n_layer=2,n_embd=8,n_head=2", "--in_distribution"],
}


@pytest.mark.parametrize("recipe", RECIPES)
def test_recipe(recipe, data_dir, tmp_path):
    arguments = [*RECIPES[recipe], *([data_dir / "tickets.txt"] if recipe == "causal_lm_oe" else [])]
    run = launch(
        recipe, "--data_dir", data_dir, "--output_dir", tmp_path / "run", *SMALL, *arguments, tmp_path=tmp_path
    )
    assert run.returncode == 0, run.stderr[-3000:]
    assert "| **Mean**" in run.stdout and "Perplexity: " in run.stdout
    assert ("published AUROC" in run.stdout) == recipe.startswith("ptb")
    results = check_outputs(tmp_path / "run", {"email", "weblog"})
    assert {row["score"] for row in results["rows"]} == {"kl_uniform", "token_nll"}
    assert results["recall_level"] == 0.9 and set(results["figures"]["perplexity"]) == {"baseline", "oe"}
    assert "ood-text-guard" in (tmp_path / "run" / "README.md").read_text()
    for name in ("flagged_passages.html", "tokenizer.json"):
        assert (tmp_path / "run" / name).stat().st_size > 0
