"""Polyak averaging of the weights, for any transformers Trainer."""

from __future__ import annotations

from typing import Any

import torch
from transformers import TrainerCallback

_AVERAGE = "polyak_average"
_SWAPPED = "polyak_swapped"


class PolyakAveraging(TrainerCallback):
    """Evaluates and saves an exponential moving average of the weights, and ends training with it in the model.

    The averages are kept in the optimizer's state, so they are in its checkpoints, and a resumed run goes on with
    bit-identical weights and averages. While they are in the model, to be evaluated or saved, the weights that are
    trained take their place there. With `load_best_model_at_end` the model ends with the averages of its best
    checkpoint.

    Args:
        decay: of the average a step (PixelCNN++: 0.9995). At step t it is at most (1 + t) / (10 + t), so that
            the average of a short run is not that of its beginning.

    Example:
        >>> trainer = Trainer(model, args, train_dataset=train, callbacks=[PolyakAveraging(0.9995)])
    """

    def __init__(self, decay: float = 0.9995):
        if not 0 <= decay < 1:
            raise ValueError(f"`decay` must be at least 0 and less than 1, got {decay}.")
        self.decay = decay

    def on_step_begin(self, args, state, control, optimizer=None, **kwargs: Any) -> None:
        if _is_swapped(optimizer):
            _swap(optimizer)

    def on_optimizer_step(self, args, state, control, optimizer=None, **kwargs: Any) -> None:
        # An optimizer takes a state that is not its own for initialised: none is added before it has stepped.
        if not getattr(optimizer, "step_was_skipped", False):
            self._update(optimizer, state.global_step + 1)

    def on_step_end(self, args, state, control, optimizer=None, **kwargs: Any) -> None:
        self._swap_in_if_due(optimizer, control)

    def on_epoch_end(self, args, state, control, optimizer=None, **kwargs: Any) -> None:
        self._swap_in_if_due(optimizer, control)

    def on_train_end(self, args, state, control, optimizer=None, **kwargs: Any) -> None:
        if not _is_swapped(optimizer) and not args.load_best_model_at_end:
            _swap(optimizer)

    @torch.no_grad()
    def _update(self, optimizer: torch.optim.Optimizer, step: int) -> None:
        decay = min(self.decay, (1 + step) / (10 + step))
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = optimizer.state[parameter]
                if _AVERAGE in state:
                    state[_AVERAGE].lerp_(parameter, 1 - decay)
                else:
                    state[_AVERAGE] = parameter.detach().clone()

    def _swap_in_if_due(self, optimizer: torch.optim.Optimizer, control: Any) -> None:
        if (control.should_evaluate or control.should_save) and not _is_swapped(optimizer):
            _swap(optimizer)


def _is_swapped(optimizer: torch.optim.Optimizer) -> bool:
    return optimizer.param_groups[0].get(_SWAPPED, False)


@torch.no_grad()
def _swap(optimizer: torch.optim.Optimizer) -> None:
    for parameter, state in optimizer.state.items():
        if _AVERAGE in state:
            weights = parameter.detach().clone()
            parameter.copy_(state[_AVERAGE])
            state[_AVERAGE].copy_(weights)
    optimizer.param_groups[0][_SWAPPED] = not _is_swapped(optimizer)
