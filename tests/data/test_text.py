import datasets
import pytest
from transformers import AutoTokenizer, DataCollatorWithPadding

from hf_oe.data.text import build_word_tokenizer, is_clean_sentence, sentence_dataset, sentences, tokenised

TEXTS = ["The cat sat .", "the cat ran", "A dog, the dog!"]


def test_words_are_lower_case_and_apart_from_punctuation():
    tokenizer = build_word_tokenizer(TEXTS)
    assert tokenizer.tokenize("The DOG, sat!") == ["the", "dog", ",", "sat", "!"]
    assert tokenizer.tokenize("the zebra <unk>") == ["the", "<unk>", "<unk>"]


def test_the_vocabulary_holds_the_most_frequent_words():
    tokenizer = build_word_tokenizer(TEXTS, vocab_size=2)
    assert set(tokenizer.get_vocab()) == {"<pad>", "<unk>", "the", "cat"}
    assert build_word_tokenizer(TEXTS).get_vocab() == build_word_tokenizer(TEXTS[::-1]).get_vocab()


def test_batches_are_padded_on_the_left_to_their_longest_text():
    tokenizer = build_word_tokenizer(TEXTS, max_length=5)
    rows = list(tokenised(datasets.Dataset.from_dict({"text": ["the cat", "a dog, the dog! the", ""]}), tokenizer))
    batch = DataCollatorWithPadding(tokenizer)(rows)
    assert batch["attention_mask"].tolist() == [[0, 0, 0, 1, 1], [1] * 5, [0] * 5]
    assert batch["input_ids"][0].tolist() == [0, 0, 0, *tokenizer("the cat")["input_ids"]]


def test_a_saved_tokenizer_is_found_by_the_auto_class(tmp_path):
    tokenizer = build_word_tokenizer(TEXTS, max_length=4)
    tokenizer.save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    texts = ["The cat, a zebra sat down", "dog"]
    settings = {"padding": True, "truncation": True}
    assert loaded(texts, **settings) == tokenizer(texts, **settings)
    assert sorted(loaded(texts)) == ["attention_mask", "input_ids"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One <unk> . Two ? <unk> three ! 4 five .", ["One <unk> .", "Two ?", "<unk> three !", "4 five ."]),
        ('He said "No." She left (late.) And so on.', ['He said "No."', "She left (late.)", "And so on."]),
        ("It cost 3.50 dollars at no. 5 etc. and more", ["It cost 3.50 dollars at no.", "5 etc. and more"]),
        (" = = A heading = = ", []),
        ("no end", ["no end"]),
    ],
)
def test_sentences(text, expected):
    assert sentences(text) == expected


@pytest.mark.parametrize(
    ("sentence", "clean"),
    [
        ("two words", False),
        ("now three words", True),
        ("w " * 60, True),
        ("w " * 61, False),
        ("3 little pigs went", False),
        ("@ home we are", False),
    ],
)
def test_clean_sentences(sentence, clean):
    assert is_clean_sentence(sentence.strip()) is clean


@pytest.mark.parametrize("streaming", [False, True])
def test_sentence_datasets_are_tokenised_with_the_tokenizers_own_unknown_word(streaming):
    dataset = datasets.Dataset.from_dict(
        {"text": ["The well @-@ fed <unk> sat . 1 dog ran .", "= Dogs ="], "id": [1, 2]}
    )
    split = sentence_dataset(dataset.to_iterable_dataset() if streaming else dataset)
    assert list(split) == [{"text": "The well-fed <unk> sat ."}]
    tokenizer = build_word_tokenizer(TEXTS)
    tokenizer.unk_token = "sat"
    (row,) = tokenised(split, tokenizer)
    assert row["input_ids"].count(tokenizer.convert_tokens_to_ids("sat")) == 2
