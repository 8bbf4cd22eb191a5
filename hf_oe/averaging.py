"""Averaged SGD with the non-monotonic trigger of Merity, Keskar and Socher (2017, algorithm 1)."""

from __future__ import annotations

from typing import Any

import torch
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader, Dataset
from transformers import TrainerCallback

from .next_token import token_scores


class NonMonotonicAveraging(TrainerCallback):
    """Averages a language model's weights over all steps from the epoch on at which it stops getting better.

    That is when the validation loss after an epoch is higher than the best one more than `patience` epochs ago. The
    averages become the model's weights when training ends. Meant for SGD at a constant learning rate; a resumed run
    starts to watch and to average anew.

    Args:
        validation: map-style set of rows with `input_ids` of one length.
        patience: in epochs; 5 in the paper.
    """

    def __init__(self, validation: Dataset, patience: int = 5, batch_size: int = 64):
        if patience < 1:
            raise ValueError(f"`patience` must be at least 1 epoch, got {patience}.")
        self.validation = validation
        self.patience = patience
        self.batch_size = batch_size
        self.losses: list[float] = []
        self.average: AveragedModel | None = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.losses, self.average = [], None

    def on_step_end(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        if self.average is not None:
            self.average.update_parameters(model)

    def on_epoch_end(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        if self.average is not None:
            return
        loss = self._validation_loss(model)
        if any(loss > earlier for earlier in self.losses[: -self.patience]):
            self.average = AveragedModel(model)
        self.losses.append(loss)

    def on_train_end(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        if self.average is not None and self.average.n_averaged > 0:
            model.load_state_dict(self.average.module.state_dict())

    def _validation_loss(self, model: Any) -> float:
        training = model.training
        model.eval()
        losses = [
            token_scores(model, {"input_ids": batch["input_ids"].to(model.device)})["token_nll"].nanmean(dim=1)
            for batch in DataLoader(self.validation, self.batch_size)
        ]
        model.train(training)
        return torch.cat(losses).mean().item()
