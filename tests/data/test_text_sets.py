"""The text sets of an experiment, from files that the test makes."""

from functools import partial

import datasets
import pytest

from hf_oe.data.corpora import CorpusNotFoundError
from hf_oe.data.text import build_word_tokenizer
from hf_oe.data.text_sets import load_text_sets
from hf_oe.protocols.texts import NEWSGROUPS20, SST, TREC, text_protocol

LONG = "a tale of many words that goes on without any end at all"


def write(folder, **columns):
    folder.parent.mkdir(parents=True, exist_ok=True)
    datasets.Dataset.from_dict(columns).to_parquet(f"{folder}.parquet")


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    for split in ("train", "test"):
        write(folder / "sst" / split, text=["bad", "poor", "so so", "good", LONG], label=[0, 1, 2, 3, 4])
        write(
            folder / "trec" / split, text=["who ?", "which ?", "where ?"], label=[0, 0, 1], fine_label=["x", "y", "x"]
        )
    write(folder / "newsgroups20" / "train", text=["a b c"] * 12, label=list(range(12)))
    write(folder / "newsgroups20" / "test", text=["a b c"], label=[12])
    write(folder / "outside" / "train", text=["Some good words . 2 words .", f"{LONG} ."])
    write(folder / "snli" / "test", text=["premise hypothesis"], hypothesis=["good"], label=[0])
    write(folder / "tales" / "test", text=[f"{LONG} again", "good", "bad bad"])
    return str(folder)


def load(protocol, data_dir, ood=("tales",), **settings):
    return load_text_sets(protocol, build_word_tokenizer, ["outside"], ood, data_dir, **settings)


def words(sets, dataset):
    return [" ".join(sets.tokenizer.convert_ids_to_tokens(row["input_ids"])) for row in dataset]


def test_neutral_reviews_are_left_out_and_the_others_merged(data_dir):
    sets = load(SST, data_dir)
    assert sets.label_names == ["negative", "positive"]
    assert words(sets, sets.train) == ["bad", "poor", "good", LONG]
    assert sets.train["labels"][:] == sets.test["labels"][:] == [0, 0, 1, 1]


def test_a_class_of_questions_is_both_its_labels(data_dir):
    sets = load(TREC, data_dir)
    assert sets.label_names == ["0:x", "0:y", "1:x"]
    assert sets.train["labels"][:] == [0, 1, 2]


def test_without_fine_labels_questions_have_coarse_ones(data_dir, tmp_path, caplog):
    write(tmp_path / "trec" / "train", text=["who ?", "which ?", "where ?"], label=[0, 0, 1])
    write(tmp_path / "trec" / "test", text=["who ?"], label=[0])
    write(tmp_path / "outside" / "train", text=["Some good words ."])
    write(tmp_path / "tales" / "test", text=["once upon a time"])
    assert load(TREC, str(tmp_path)).label_names == ["0", "1"]
    assert "only the label columns label" in caplog.text


def test_anomalies_are_whole_texts_by_length_and_outliers_clean_sentences(data_dir):
    sets = load(SST, data_dir, ood=["tales", "snli"])
    assert words(sets, sets.ood["tales"]) == ["good", "bad bad", f"{LONG} <unk>"]
    assert words(sets, sets.ood["snli"]) == ["good"]
    assert words(sets, sets.outliers) == ["<unk> good words <unk>", f"{LONG} <unk>"]


def test_what_is_out_of_reach_is_left_out(data_dir):
    assert load(SST, data_dir, ood=["tales", "no_such_set"]).left_out == ["no_such_set"]
    with pytest.raises(CorpusNotFoundError, match="None of the test corpora no_such_set"):
        load(SST, data_dir, ood=["no_such_set"])


def test_copies_leave_the_outliers_and_held_out_examples_the_training_set(data_dir):
    sets = load(SST, data_dir, hold_out=1, remove_copies=True)
    assert len(sets.outliers) == 1
    counts = sets.decontamination["outside"].counts()
    assert sum(sum(by_kind.values()) for by_kind in counts.values()) == 1
    assert (len(sets.train), len(sets.held_out)) == (3, 1)
    assert not set(words(sets, sets.train)) & set(words(sets, sets.held_out))
    with pytest.raises(ValueError, match="`hold_out` must be less than the 4 training examples, got 4"):
        load(SST, data_dir, hold_out=4)


def test_labels_are_checked(data_dir):
    with pytest.raises(ValueError, match="test examples of the class '12', but no training examples"):
        load(NEWSGROUPS20, data_dir)
    with pytest.raises(ValueError, match="has no column 'label'.*name the one with the classes in --label_columns"):
        load(text_protocol("outside"), data_dir)


def test_the_authors_case_leaves_capitals_to_in_distribution_text_alone(tmp_path):
    for split in ("train", "test"):
        write(tmp_path / "sst" / split, text=["Some Good", "bad"], label=[4, 0])
    write(tmp_path / "outside" / "train", text=["Some Good words ."])
    write(tmp_path / "tales" / "test", text=["Some Good"])
    sets = load_text_sets(
        SST, partial(build_word_tokenizer, lowercase=False), ["outside"], ["tales"], tmp_path, lowercase_others=True
    )
    assert words(sets, sets.test) == ["Some Good", "bad"]
    assert words(sets, sets.outliers) == ["<unk> <unk> <unk> <unk>"] and words(sets, sets.ood["tales"]) == [
        "<unk> <unk>"
    ]
