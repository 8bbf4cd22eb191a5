"""Text as a language model reads it: tokenizers of words and of characters, and contiguous sequences of tokens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

import numpy as np
import torch
from torch.utils.data import Dataset
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

UNKNOWN, END = "<unk>", "<eos>"


def word_tokenizer(texts: Iterable[str], max_words: int = 30_000) -> PreTrainedTokenizerFast:
    """A tokenizer of the `max_words` most frequent words between spaces in `texts`; all others are `<unk>`.

    `<eos>` ends a text, and pads it. The 10k-word Penn Treebank gives 10,000 tokens, as in Merity et al. (2017).
    """
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = Counter(word for text in texts for word in text.split())
    tokens = dict.fromkeys([UNKNOWN, END, *(word for word, _ in words.most_common(max_words))])
    tokenizer = Tokenizer(models.WordLevel({token: index for index, token in enumerate(tokens)}, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token=UNKNOWN, eos_token=END, pad_token=END, clean_up_tokenization_spaces=False
    )


def character_tokenizer(texts: Iterable[str]) -> PreTrainedTokenizerFast:
    """A tokenizer of the characters in `texts`, most frequent first; all others are dropped, spaces are `_`.

    `<eos>` ends a text, and pads it. `<unk>` is no token: it is spelt out, as in Mikolov's Penn Treebank.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

    characters = Counter(character for text in texts for character in text.replace(" ", "_"))
    tokens = [END, *(character for character, _ in characters.most_common())]
    tokenizer = Tokenizer(models.WordLevel({token: index for index, token in enumerate(tokens)}, unk_token=END))
    known = "".join(f"\\x{{{ord(character):x}}}" for character in characters)
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Replace(" ", "_"), normalizers.Replace(Regex(f"[^{known}]"), "")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    tokenizer.decoder = decoders.Sequence([decoders.Fuse(), decoders.Replace("_", " ")])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=END, pad_token=END, clean_up_tokenization_spaces=False
    )


_DIGITS = str.maketrans(dict.fromkeys("0123456789", "N"))


def as_penn_treebank(text: str) -> str:
    """Text of another source as the character-level Penn Treebank writes it: lower case, `N` for each digit."""
    return text.lower().translate(_DIGITS)


def token_stream(texts: Iterable[str], tokenizer: PreTrainedTokenizerBase, batch_size: int = 1000) -> np.ndarray:
    """The tokens of all texts in a row, int64 `(tokens,)`, each followed by the end token if there is one."""
    end = [] if tokenizer.eos_token_id is None else [tokenizer.eos_token_id]
    parts = [np.empty(0, np.int64)]
    for batch in _batches(texts, batch_size):
        encoded = tokenizer(batch, add_special_tokens=False, return_attention_mask=False, verbose=False)
        parts += [np.array([*ids, *end], np.int64) for ids in encoded["input_ids"]]
    return np.concatenate(parts)


def _batches(texts: Iterable[str], size: int) -> Iterator[list[str]]:
    batch: list[str] = []
    for text in texts:
        batch.append(text)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


class TokenSequences(Dataset):
    """Contiguous sequences of a stream of tokens; what is left at its end is dropped.

    Each predicts `length` tokens, so it holds one more: the last of the sequence before, from which the first is
    predicted. Every token of the stream but its first is thus predicted once.

    Args:
        stream: int64 `(tokens,)`.
        length: tokens that a sequence predicts; 70 words or 150 characters in the paper.

    Raises:
        ValueError: if the stream is too short for one sequence.
    """

    def __init__(self, stream: np.ndarray, length: int):
        if length < 1:
            raise ValueError(f"`length` must be at least 1, got {length}.")
        count = (len(stream) - 1) // length
        if count < 1:
            raise ValueError(
                f"`stream` has {len(stream)} tokens, too few for a sequence that predicts {length}: give it more "
                "text, or choose a smaller `length`."
            )
        self._stream = torch.from_numpy(stream[: count * length + 1])
        self._length = length
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        if not -self._count <= index < self._count:
            raise IndexError(f"There are {self._count} sequences, got the index {index}.")
        start = index % self._count * self._length
        tokens = self._stream[start : start + self._length + 1]
        return {"input_ids": tokens, "labels": tokens}
