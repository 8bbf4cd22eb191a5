"""The recurrent text classifier of Deep Anomaly Detection with Outlier Exposure (published version, 2019).

Only torch, transformers and this folder are imported: the file travels with a saved model.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput

from .configuration_gru_text import GRUTextConfig


class GRUTextForSequenceClassification(PreTrainedModel):
    """Word embeddings, gated recurrent layers, and a linear layer on the last word's state.

    The state passes over padding, so that the logits of a text do not depend on the batch that it is in.

    Example:
        >>> model = GRUTextForSequenceClassification(GRUTextConfig(vocab_size=100, num_labels=6))
        >>> model(torch.tensor([[0, 0, 7, 8], [3, 4, 5, 6]])).logits.shape
        torch.Size([2, 6])
    """

    config_class = GRUTextConfig
    base_model_prefix = "gru"
    main_input_name = "input_ids"
    input_modalities = ("text",)
    accepts_loss_kwargs = False

    def __init__(self, config: GRUTextConfig) -> None:
        super().__init__(config)
        self.embedding = nn.Embedding(config.vocab_size, config.embedding_size, padding_idx=config.pad_token_id)
        self.gru = nn.GRU(config.embedding_size, config.hidden_size, config.num_hidden_layers, batch_first=True)
        self.classifier = nn.Linear(config.hidden_size, config.num_labels)
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Embedding | nn.GRU | nn.Linear):
            module.reset_parameters()

    def get_input_embeddings(self) -> nn.Embedding:
        return self.embedding

    def set_input_embeddings(self, value: nn.Embedding) -> None:
        self.embedding = value

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        **kwargs: Any,
    ) -> SequenceClassifierOutput | tuple[Tensor, ...]:
        """Classifies texts.

        Args:
            input_ids: int64 `(batch, length)`, padded on either side.
            attention_mask: `(batch, length)`, 1 for words and 0 for padding; by default read off `input_ids`.
            labels: int64 `(batch,)`; rows with -100 do not count in the loss, the mean cross entropy.
            output_hidden_states: whether to return the state `(batch, hidden_size)` that the linear layer sees, as
                the only one of `hidden_states`.
            return_dict: False for a plain tuple.
        """
        if output_hidden_states is None:
            output_hidden_states = self.config.output_hidden_states
        if return_dict is None:
            return_dict = self.config.return_dict
        is_word = input_ids != self.config.pad_token_id if attention_mask is None else attention_mask.bool()
        features = self._last_states(input_ids, is_word)
        logits = self.classifier(features)
        output = SequenceClassifierOutput(
            loss=None if labels is None else F.cross_entropy(logits, labels, ignore_index=-100),
            logits=logits,
            hidden_states=(features,) if output_hidden_states else None,
        )
        return output if return_dict else output.to_tuple()

    def _last_states(self, input_ids: Tensor, is_word: Tensor) -> Tensor:
        """The top layer's state after each text's last word, `(batch, hidden_size)`."""
        # With the words moved to the front, in their order, no state has seen padding. Unlike packing, this does not
        # wait for the lengths to reach the host.
        order = is_word.long().argsort(dim=1, descending=True, stable=True)
        states, _ = self.gru(self.embedding(input_ids.gather(1, order)))
        last = is_word.sum(dim=1).clamp(min=1) - 1
        return states[torch.arange(len(states), device=states.device), last]
