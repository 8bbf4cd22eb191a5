"""Tokenizers, the mapping into the Penn Treebank's alphabet, and contiguous sequences."""

import datasets
import numpy as np
import pytest
from transformers import AutoTokenizer

from hf_oe.data.corpora import CorpusNotFoundError
from hf_oe.data.language_sets import load_language_sets
from hf_oe.data.sequences import (
    TokenSequences,
    as_penn_treebank,
    character_tokenizer,
    token_stream,
    word_tokenizer,
)

TEXTS = ["the cat <unk> N mats", "the dog 's cat"]


def saved(tokenizer, folder):
    tokenizer.save_pretrained(folder)
    return AutoTokenizer.from_pretrained(folder)


def test_words_by_frequency_and_unknown_ones(tmp_path):
    tokenizer = saved(word_tokenizer(TEXTS), tmp_path)
    assert len(tokenizer) == 8 and (tokenizer.unk_token, tokenizer.eos_token) == ("<unk>", "<eos>")
    ids = tokenizer("the Cat <unk> 's")["input_ids"]
    assert tokenizer.convert_ids_to_tokens(ids) == ["the", "<unk>", "<unk>", "'s"]
    assert tokenizer.decode(ids) == "the <unk> <unk> 's"
    assert len(word_tokenizer(TEXTS, max_words=1)) == 3


def test_characters_and_dropped_ones(tmp_path):
    tokenizer = saved(character_tokenizer(["the_cat <unk> N]^-"]), tmp_path)
    ids = tokenizer(as_penn_treebank("The cAt é[ <unk> 47]"))["input_ids"]
    assert tokenizer.convert_ids_to_tokens(ids) == list("the_cat__<unk>_NN]")
    assert tokenizer.decode(ids) == "the cat  <unk> NN]"


def test_a_stream_ends_every_text():
    tokenizer = word_tokenizer(TEXTS)
    tokens = token_stream(TEXTS, tokenizer, batch_size=1)
    assert tokens.dtype == np.int64
    assert " ".join(tokenizer.convert_ids_to_tokens(tokens.tolist())) == " <eos> ".join([*TEXTS, ""]).strip()


def test_sequences_predict_every_token_but_the_first_once():
    sequences = TokenSequences(np.arange(20), 6)
    assert len(sequences) == 3
    rows = [sequences[index]["input_ids"].tolist() for index in range(3)]
    assert rows == [list(range(0, 7)), list(range(6, 13)), list(range(12, 19))]
    assert [token for row in rows for token in row[1:]] == list(range(1, 19))
    assert sequences[-1]["labels"].tolist() == rows[-1]
    with pytest.raises(IndexError):
        sequences[3]
    with pytest.raises(ValueError, match="too few"):
        TokenSequences(np.arange(6), 6)


@pytest.fixture
def data_dir(tmp_path):
    sets = {
        "ptb_char/train": {"text": ["t h e _ c a t _ N"] * 20},
        "ptb_char/test": {"text": ["a _ c a t _ h a t"] * 9},
        "others/train": {"text": ["The hat, 7!"] * 20},
        "web/test": {"text": ["A cat"] * 10 + ["HAT"] * 10, "domain": ["email"] * 10 + ["weblog"] * 10},
    }
    for name, columns in sets.items():
        path = tmp_path / f"{name}.parquet"
        path.parent.mkdir(exist_ok=True)
        datasets.Dataset.from_dict(columns).to_parquet(path)
    (tmp_path / "mine.txt").write_text("".join(f"line {number}\n" for number in range(50)))
    return tmp_path


def test_character_sets_are_mapped_into_the_alphabet(data_dir):
    sets = load_language_sets("ptb_char", ["others"], ["web", "icons"], "characters", 10, str(data_dir), True)
    decoded = sets.tokenizer.convert_ids_to_tokens(sets.outliers[0]["input_ids"].tolist())
    assert decoded == [*"the_hat_N", "<eos>", "t"]
    assert list(sets.ood) == ["email", "weblog"] and sets.left_out == ["icons"]
    assert sets.tokenizer.convert_ids_to_tokens(sets.test[0]["input_ids"].tolist()) == [*"a_cat_hat", "<eos>", "a"]


def test_a_file_without_a_test_split_is_tested_on_its_last_tenth(data_dir):
    sets = load_language_sets(str(data_dir / "mine.txt"), ["others"], ["web"], "words", 3, str(data_dir))
    assert "line 43" in sets.tokenizer.decode(sets.train[len(sets.train) - 1]["input_ids"])
    assert sets.tokenizer.decode(sets.test[0]["input_ids"]).startswith("line <unk>")


def test_nothing_to_test_on_is_one_sentence(data_dir):
    with pytest.raises(CorpusNotFoundError, match="None of the test corpora"):
        load_language_sets("ptb_char", ["others"], ["nowhere"], "words", 3, str(data_dir))
    with pytest.raises(ValueError, match="'ptb_char' is too small"):
        load_language_sets("ptb_char", ["others"], ["web"], "words", 100, str(data_dir))
