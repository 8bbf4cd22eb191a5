"""AWD-LSTM and AWD-QRNN language models (Merity, Keskar and Socher 2017, https://arxiv.org/abs/1708.02182; 2018,
https://arxiv.org/abs/1803.08240).

Only torch, transformers and this folder are imported: the file travels with a saved model.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from transformers import PreTrainedModel
from transformers.modeling_outputs import CausalLMOutput

from .configuration_awd_lstm import AWDLSTMConfig


@dataclass
class AWDLSTMOutput(CausalLMOutput):
    """`CausalLMOutput` with `penalty`, the scalar that the activation penalties add to the loss in training."""

    penalty: Tensor | None = None


class WeightDropLSTM(nn.Module):
    """One LSTM layer over `(batch, length, input_size)` from a state of zeros, its recurrent weights dropped out.

    The parameters are those of a one-layer `torch.nn.LSTM`, whose fused kernels run it.
    """

    def __init__(self, input_size: int, output_size: int, weight_dropout: float) -> None:
        super().__init__()
        self.output_size = output_size
        self.weight_dropout = weight_dropout
        self.weight_ih = nn.Parameter(torch.empty(4 * output_size, input_size))
        self.weight_hh = nn.Parameter(torch.empty(4 * output_size, output_size))
        self.bias_ih = nn.Parameter(torch.empty(4 * output_size))
        self.bias_hh = nn.Parameter(torch.empty(4 * output_size))

    def forward(self, x: Tensor) -> Tensor:
        weight_hh = F.dropout(self.weight_hh, self.weight_dropout, self.training)
        weights = [self.weight_ih, weight_hh, self.bias_ih, self.bias_hh]
        zeros = x.new_zeros(1, x.shape[0], self.output_size)
        return torch.lstm(x, (zeros, zeros), weights, True, 1, 0.0, self.training, False, True)[0]


class ForgetMult(torch.autograd.Function):
    """`c[t] = forget[t] * c[t - 1] + (1 - forget[t]) * candidate[t]` from zeros, along the first dimension."""

    @staticmethod
    def forward(ctx: Any, candidate: Tensor, forget: Tensor) -> Tensor:
        states = torch.empty_like(candidate)
        state = torch.zeros_like(candidate[0])
        for t in range(len(candidate)):
            state = torch.lerp(candidate[t], state, forget[t], out=states[t])
        ctx.save_for_backward(candidate, forget, states)
        return states

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        candidate, forget, states = ctx.saved_tensors
        gradient = gradient.clone()
        for t in range(len(gradient) - 1, 0, -1):
            gradient[t - 1].addcmul_(gradient[t], forget[t])
        to_forget = gradient * -candidate
        to_forget[1:].addcmul_(gradient[1:], states[:-1])
        return gradient.mul_(1 - forget), to_forget


class QRNN(nn.Module):
    """One quasi-recurrent layer over `(batch, length, input_size)` from a state of zeros (Bradbury et al. 2017).

    Candidate, forget and output gate come from a convolution over the last `window` inputs; only the pooling
    `ForgetMult` is recurrent.
    """

    def __init__(self, input_size: int, output_size: int, weight_dropout: float, window: int) -> None:
        super().__init__()
        self.window = window
        self.weight_dropout = weight_dropout
        self.weight = nn.Parameter(torch.empty(3 * output_size, window * input_size))
        self.bias = nn.Parameter(torch.empty(3 * output_size))

    def forward(self, x: Tensor) -> Tensor:
        x = x.transpose(0, 1)  # The pooling runs along the first dimension, so that each of its steps is contiguous.
        length = x.shape[0]
        shifted = F.pad(x, (0, 0, 0, 0, self.window - 1, 0))
        x = torch.cat([shifted[start : start + length] for start in range(self.window)], dim=-1)
        gates = F.linear(x, F.dropout(self.weight, self.weight_dropout, self.training), self.bias)
        candidate, forget, output = gates.chunk(3, dim=-1)
        states = ForgetMult.apply(candidate.tanh(), forget.sigmoid())
        return (output.sigmoid() * states).transpose(0, 1)


def _locked_dropout(x: Tensor, probability: float, training: bool) -> Tensor:
    """Dropout with one mask a sequence, the same at each of its tokens."""
    if not training or probability == 0:
        return x
    return x * F.dropout(torch.ones_like(x[:, :1]), probability)


class AWDLSTMForCausalLM(PreTrainedModel):
    """Recurrent language model of the paper's section 4.3: AWD-LSTM for words, its QRNN form for characters.

    Every sequence starts from a state of zeros: nothing is carried from one to the next, in training or afterwards.

    Example:
        >>> model = AWDLSTMForCausalLM(AWDLSTMConfig(vocab_size=100, hidden_size=20, embedding_size=10))
        >>> model(torch.randint(100, (2, 70))).logits.shape
        torch.Size([2, 70, 100])
    """

    config_class = AWDLSTMConfig
    base_model_prefix = "awd_lstm"
    main_input_name = "input_ids"
    accepts_loss_kwargs = False
    _tied_weights_keys = {"decoder.weight": "encoder.weight"}
    _no_split_modules = ["WeightDropLSTM", "QRNN"]

    def __init__(self, config: AWDLSTMConfig) -> None:
        super().__init__(config)
        self.encoder = nn.Embedding(config.vocab_size, config.embedding_size)
        sizes = [config.embedding_size, *[config.hidden_size] * (config.num_layers - 1), config.embedding_size]
        if config.cell == "lstm":
            layers = [WeightDropLSTM(*pair, config.weight_dropout) for pair in zip(sizes, sizes[1:], strict=False)]
        else:
            layers = [
                QRNN(*pair, config.weight_dropout, window=2 if index == 0 else 1)
                for index, pair in enumerate(zip(sizes, sizes[1:], strict=False))
            ]
        self.layers = nn.ModuleList(layers)
        self.decoder = nn.Linear(config.embedding_size, config.vocab_size)
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Embedding):
            nn.init.uniform_(module.weight, -0.1, 0.1)
        elif isinstance(module, nn.Linear):
            nn.init.zeros_(module.bias)
            nn.init.uniform_(module.weight, -0.1, 0.1)
        elif isinstance(module, WeightDropLSTM):
            bound = 1 / math.sqrt(module.output_size)
            for parameter in module.parameters(recurse=False):
                nn.init.uniform_(parameter, -bound, bound)
        elif isinstance(module, QRNN):
            bound = 1 / math.sqrt(module.weight.shape[1])
            nn.init.uniform_(module.weight, -bound, bound)
            nn.init.uniform_(module.bias, -bound, bound)

    def get_input_embeddings(self) -> nn.Embedding:
        return self.encoder

    def set_input_embeddings(self, value: nn.Embedding) -> None:
        self.encoder = value

    def get_output_embeddings(self) -> nn.Linear:
        return self.decoder

    def set_output_embeddings(self, value: nn.Linear) -> None:
        self.decoder = value

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        return_dict: bool | None = None,
        **kwargs: Any,
    ) -> AWDLSTMOutput | tuple[Tensor, ...]:
        """Predicts each next token.

        Args:
            input_ids: int64 `(batch, length)`.
            attention_mask: `(batch, length)`, 0 at padding, which may be on either side.
            labels: int64 `(batch, length)`, the input tokens, shifted in here, or -100 where none is to be predicted.
                The loss is the mean cross entropy in nats and, in training, the activation penalties.
            return_dict: False for a plain tuple.
        """
        config = self.config
        if attention_mask is None:
            hidden, penalty = self._hidden(input_ids, None)
        else:
            # The tokens of each sequence are moved to its beginning, so that its state starts from zeros there.
            order = attention_mask.ne(0).int().argsort(dim=1, descending=True, stable=True)
            mask = attention_mask.gather(1, order)
            hidden, penalty = self._hidden(input_ids.gather(1, order), mask)
            back = order.argsort(dim=1).unsqueeze(-1).expand_as(hidden)
            hidden = hidden.gather(1, back)
        logits = self.decoder(hidden)
        loss = None
        if labels is not None:
            following = F.pad(labels[:, 1:], (0, 1), value=-100)
            loss = F.cross_entropy(logits.flatten(0, 1).float(), following.flatten())
            loss = loss if penalty is None else loss + penalty
        output = AWDLSTMOutput(loss=loss, logits=logits, penalty=penalty)
        return output if (config.return_dict if return_dict is None else return_dict) else output.to_tuple()

    def _hidden(self, input_ids: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """The last layer's output `(batch, length, embedding_size)` and, in training, the activation penalties."""
        config, training = self.config, self.training
        x = self.encoder(input_ids)
        if training and config.embedding_dropout:
            kept = F.dropout(x.new_ones(config.vocab_size, 1), config.embedding_dropout)
            x = x * F.embedding(input_ids, kept)
        x = _locked_dropout(x, config.input_dropout, training)
        for index, layer in enumerate(self.layers):
            x = layer(x)
            if index + 1 < len(self.layers):
                x = _locked_dropout(x, config.hidden_dropout, training)
        dropped = _locked_dropout(x, config.output_dropout, training)
        if not training:
            return dropped, None
        weights = x.new_ones(x.shape[:2]) if mask is None else mask.to(x.dtype)
        penalty = config.activation_penalty * _weighted_mean(dropped.square(), weights)
        changes = (x[:, 1:] - x[:, :-1]).square()
        penalty = penalty + config.temporal_activation_penalty * _weighted_mean(changes, weights[:, 1:])
        return dropped, penalty


def _weighted_mean(values: Tensor, weights: Tensor) -> Tensor:
    """Mean of `values` `(batch, length, size)` over the tokens that `weights` `(batch, length)` counts."""
    return (values.mean(dim=-1) * weights).sum() / weights.sum().clamp(min=1)
