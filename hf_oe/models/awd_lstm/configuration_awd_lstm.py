"""Configuration of the AWD-LSTM and its QRNN form."""

from __future__ import annotations

from typing import Any

from transformers import PretrainedConfig

CELLS = ("lstm", "qrnn")


class AWDLSTMConfig(PretrainedConfig):
    """Configuration of an `AWDLSTMForCausalLM`; the defaults are those of the paper's word-level model.

    Args:
        vocab_size: number of tokens.
        embedding_size: width of the embeddings, and of the last layer.
        hidden_size: width of the other layers.
        num_layers: number of recurrent layers.
        cell: "lstm", or "qrnn" for quasi-recurrent layers (Bradbury et al. 2017).
        output_dropout, hidden_dropout, input_dropout: of the last layer's output, of the other layers' and of the
            embeddings; one mask a sequence, the same for all its tokens.
        embedding_dropout: probability that all occurrences of a token in a batch are embedded as zeros.
        weight_dropout: of the recurrent weights of LSTMs and of all weights of QRNNs; one mask a batch.
        activation_penalty, temporal_activation_penalty: factors alpha and beta of the mean squared output of the last
            layer, after its dropout, and of its mean squared change from one token to the next, before it.
        tie_word_embeddings: whether the logits' weights are the embeddings.
        kwargs: what every `PretrainedConfig` takes.

    Raises:
        ValueError: if `cell` is unknown, a size is not positive, or a dropout is not a probability below 1.
    """

    model_type = "oe_awd_lstm"
    attribute_map = {"num_hidden_layers": "num_layers"}

    def __init__(
        self,
        vocab_size: int = 10_000,
        embedding_size: int = 400,
        hidden_size: int = 1150,
        num_layers: int = 3,
        cell: str = "lstm",
        output_dropout: float = 0.4,
        hidden_dropout: float = 0.25,
        input_dropout: float = 0.4,
        embedding_dropout: float = 0.1,
        weight_dropout: float = 0.5,
        activation_penalty: float = 2.0,
        temporal_activation_penalty: float = 1.0,
        tie_word_embeddings: bool = True,
        **kwargs: Any,
    ) -> None:
        sizes = {
            "vocab_size": vocab_size,
            "embedding_size": embedding_size,
            "hidden_size": hidden_size,
            "num_layers": num_layers,
        }
        dropouts = {
            "output_dropout": output_dropout,
            "hidden_dropout": hidden_dropout,
            "input_dropout": input_dropout,
            "embedding_dropout": embedding_dropout,
            "weight_dropout": weight_dropout,
        }
        if cell not in CELLS:
            raise ValueError(f"`cell` must be one of {', '.join(CELLS)}, got {cell!r}.")
        for name, value in sizes.items():
            if value < 1:
                raise ValueError(f"`{name}` must be at least 1, got {value}.")
        for name, value in dropouts.items():
            if not 0 <= value < 1:
                raise ValueError(f"`{name}` must be a probability below 1, got {value}.")
        self.vocab_size = vocab_size
        self.embedding_size = embedding_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.cell = cell
        self.output_dropout = output_dropout
        self.hidden_dropout = hidden_dropout
        self.input_dropout = input_dropout
        self.embedding_dropout = embedding_dropout
        self.weight_dropout = weight_dropout
        self.activation_penalty = activation_penalty
        self.temporal_activation_penalty = temporal_activation_penalty
        super().__init__(tie_word_embeddings=tie_word_embeddings, **kwargs)
