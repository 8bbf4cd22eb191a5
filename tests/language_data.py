"""Corpora small enough to train a language model on in a test."""

from pathlib import Path

import datasets
import numpy as np


def write_corpora(folder: Path) -> None:
    """In-distribution text, outliers and test anomalies, as the recipes read them from `--data_dir`."""
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


def write(path: Path, columns: dict[str, list]) -> None:
    path.parent.mkdir(exist_ok=True)
    datasets.Dataset.from_dict(columns).to_parquet(path)
