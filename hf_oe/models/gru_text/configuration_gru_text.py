"""Configuration of the recurrent text classifier."""

from __future__ import annotations

from typing import Any

from transformers import PretrainedConfig


class GRUTextConfig(PretrainedConfig):
    """Configuration of a `GRUTextForSequenceClassification`; the defaults are the published paper's.

    Args:
        vocab_size: words, special tokens included.
        embedding_size: numbers a word.
        hidden_size: units a layer.
        num_hidden_layers: recurrent layers.
        pad_token_id: index of the padding token.
        kwargs: what every `PretrainedConfig` takes: `num_labels`, `id2label` …

    Raises:
        ValueError: if a size is not positive, or `pad_token_id` no index of the vocabulary.
    """

    model_type = "oe_gru_text"

    def __init__(
        self,
        vocab_size: int = 10_002,
        embedding_size: int = 50,
        hidden_size: int = 128,
        num_hidden_layers: int = 2,
        pad_token_id: int = 0,
        **kwargs: Any,
    ) -> None:
        sizes = {
            "vocab_size": vocab_size,
            "embedding_size": embedding_size,
            "hidden_size": hidden_size,
            "num_hidden_layers": num_hidden_layers,
        }
        for name, size in sizes.items():
            if size < 1:
                raise ValueError(f"`{name}` must be at least 1, got {size}.")
        if not 0 <= pad_token_id < vocab_size:
            raise ValueError(f"`pad_token_id` must be an index below `vocab_size` {vocab_size}, got {pad_token_id}.")
        self.vocab_size = vocab_size
        self.embedding_size = embedding_size
        self.hidden_size = hidden_size
        self.num_hidden_layers = num_hidden_layers
        super().__init__(pad_token_id=pad_token_id, **kwargs)
