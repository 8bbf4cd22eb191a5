"""The recipes for language models end to end in their smallest form, on text that the test makes."""

import datasets
import numpy as np
import pytest

from tests.test_recipes import check_outputs, launch

SMALL = ["--max_steps", "2", "--per_device_train_batch_size", "4", "--sequence_length", "12", "--use_cpu", "true"]


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("text")
    generator = np.random.default_rng(0)

    def lines(words, count=60):
        return [" ".join(generator.choice(words, 12)) for _ in range(count)]

    market = lines(["the", "stock", "fell", "N", "points", "mr.", "<unk>"])
    sets = {
        "ptb": market,
        "ptb_char": [" ".join(line.replace(" ", "_")) for line in market],
        "wikitext2": lines(["The", "album", "was", "released", "in", "1999", "the"]),
    }
    for name, texts in sets.items():
        for split in ("train", "valid", "test"):
            write(
                folder / name / f"{split}.parquet",
                {"text": texts[::-1] if split == "valid" else texts[: 60 if split == "train" else 40]},
            )
    web = {"text": lines(["hi", "the", "u", "LOL", ":)"]), "domain": ["email"] * 30 + ["weblog"] * 30}
    write(folder / "english_web_treebank" / "test.parquet", web)
    (folder / "tickets.txt").write_text("\n".join(market))
    return folder


def write(path, columns):
    path.parent.mkdir(exist_ok=True)
    datasets.Dataset.from_dict(columns).to_parquet(path)


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
