"""Text: a word-level tokenizer, sentences of running text, and datasets of token ids."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

import datasets
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

PAD, UNKNOWN = "<pad>", "<unk>"

_HEADING = re.compile(r"=.*=")
_SENTENCE_END = re.compile(r"(?:(?<=[.!?])|(?<=[.!?][\"')]))\s+(?=[\"'(]?\s?(?:[A-Z0-9@]|<unk>))")
_WIKITEXT_SEPARATOR = re.compile(r" @([-,.])@ ")


def build_word_tokenizer(
    texts: Iterable[str], vocab_size: int = 10_000, max_length: int = 512, lowercase: bool = True
) -> PreTrainedTokenizerFast:
    """A tokenizer whose tokens are words, lower-case by default, and punctuation marks; it pads on the left.

    Args:
        texts: to collect the vocabulary from; pass only training texts.
        vocab_size: the most frequent so many words; `<pad>` and `<unk>` come on top.
        max_length: longer texts are cut, in words.
    """
    tokenizer = Tokenizer(models.WordLevel(unk_token=UNKNOWN))
    if lowercase:
        tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.WordLevelTrainer(vocab_size=vocab_size + 2, special_tokens=[PAD, UNKNOWN], show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        unk_token=UNKNOWN,
        padding_side="left",
        model_max_length=max_length,
        model_input_names=["input_ids", "attention_mask"],
    )


def sentences(text: str) -> list[str]:
    """The sentences of a paragraph, raw or tokenised; headings as WikiText writes them (`= Title =`) are none."""
    text = text.strip()
    if _HEADING.fullmatch(text):
        return []
    return [sentence.strip() for sentence in _SENTENCE_END.split(text)]


def is_clean_sentence(sentence: str, min_words: int = 3, max_words: int = 60) -> bool:
    """The authors' filter of outlier sentences: 3 to 60 words, none that begins with a digit or `@`."""
    return min_words <= len(sentence.split()) <= max_words and sentence[0] not in "0123456789@"


def sentence_dataset(dataset: Any, text_column: str = "text") -> Any:
    """The clean sentences of a dataset, one a row in a column `text`; a stream stays a stream.

    WikiText's ` @-@ ` is written as the hyphen that it stands for: nothing in other text looks like it, so a model
    would learn it as the mark of an outlier.
    """

    def split(batch: dict[str, list[str]]) -> dict[str, list[str]]:
        found = (sentence for text in batch[text_column] for sentence in sentences(text))
        return {
            "text": [_WIKITEXT_SEPARATOR.sub(r"\1", sentence) for sentence in found if is_clean_sentence(sentence)]
        }

    return _mapped(dataset, split, "Splitting into sentences")


def tokenised(dataset: Any, tokenizer: PreTrainedTokenizerBase, text_column: str = "text") -> Any:
    """Token ids of every text, cut to `tokenizer.model_max_length`, and no other column; padding is the collator's.

    The `<unk>` of preprocessed corpora becomes the tokenizer's own unknown word. A stream stays a stream.
    """

    def tokenise(batch: dict[str, list[str]]) -> dict[str, list]:
        texts = [text.replace(UNKNOWN, tokenizer.unk_token or "") for text in batch[text_column]]
        return dict(tokenizer(texts, truncation=True))

    return _mapped(dataset, tokenise, "Tokenising")


def lowercased(dataset: Any) -> Any:
    """The texts of a dataset in lower case, and no other column; a stream stays a stream."""
    return _mapped(dataset, lambda batch: {"text": [text.lower() for text in batch["text"]]}, "Lower-casing")


def _mapped(dataset: Any, function: Callable[[dict], dict], description: str) -> Any:
    """The dataset or stream with the columns that `function` makes of its batches, and no other."""
    settings = {"desc": description} if isinstance(dataset, datasets.Dataset) else {}
    return dataset.map(function, batched=True, remove_columns=dataset.column_names, **settings)
