"""Trainer callbacks that keep a run from losing work: a checkpoint on SIGTERM, and a guard against NaN losses."""

from __future__ import annotations

import json
import logging
import os
import signal
from collections.abc import Iterable, Mapping
from typing import Any

import torch
import torch.distributed as dist
from transformers import TrainerCallback

from .files import replacing

logger = logging.getLogger(__name__)

REQUEUE_EXIT_CODE = 75
"""Exit code of a process that stopped on a signal, after its checkpoint: EX_TEMPFAIL of sysexits.h, "try again"."""


class StoppedBySignal(SystemExit):
    """Ends the process with `REQUEUE_EXIT_CODE`; a program that has more to do can catch it around `train()`."""

    def __init__(self, step: int):
        super().__init__(REQUEUE_EXIT_CODE)
        self.step = step


class SaveOnSignal(TrainerCallback):
    """On SIGTERM, as schedulers send it before they take a machine away: finish the step, save, exit for a requeue.

    All processes stop after the same step, whichever of them got the signal and when. They agree on it through a
    message that travels while the next step is computed, so the checkpoint comes one step later where there are
    several. `train()` then raises `StoppedBySignal`. Resuming continues exactly, unlike after the Trainer's
    `enable_jit_checkpoint`, which saves between a gradient and its step.

    Args:
        signals: to react to; the earlier handlers are put back when training ends.
    """

    def __init__(self, signals: Iterable[signal.Signals] = (signal.SIGTERM,)):
        self.signals = tuple(signals)
        self.received = False
        self._earlier: dict[signal.Signals, Any] = {}
        self._group: Any = None
        self._message: tuple[torch.Tensor, Any] | None = None

    def on_train_begin(self, args, state, control, **kwargs):
        self.received, self._message = False, None
        self._earlier = {number: signal.signal(number, self._receive) for number in self.signals}
        if args.world_size > 1 and self._group is None:
            # On the CPU, so that no step waits for the devices.
            self._group = dist.new_group(backend="gloo")

    def _receive(self, number: int, frame: Any) -> None:
        self.received = True

    def on_step_end(self, args, state, control, **kwargs):
        if self.received if self._group is None else self._someone_received():
            logger.warning("A signal to stop was received: saving at step %d.", state.global_step)
            self.received = True
            control.should_save = control.should_training_stop = True

    def _someone_received(self) -> bool:
        """What all processes had received a step ago; begins to ask for what they have received by now."""
        answer = False
        if self._message is not None:
            count, work = self._message
            work.wait()
            answer = bool(count)
        count = torch.tensor(int(self.received))
        self._message = count, dist.all_reduce(count, group=self._group, async_op=True)
        return answer

    def on_train_end(self, args, state, control, **kwargs):
        for number, handler in self._earlier.items():
            signal.signal(number, handler)
        if self.received and control.should_training_stop and state.global_step < state.max_steps:
            raise StoppedBySignal(state.global_step)


class NonFiniteLossError(ArithmeticError):
    """The loss of a batch is NaN or infinite."""


class NonFiniteLossGuard(TrainerCallback):
    """Stops at, or skips, a step whose loss is NaN or infinite, before it reaches the weights.

    The batch's indices are written to `nonfinite_loss/step_<step>_rank_<rank>.json` in the output folder.

    Args:
        policy: "stop", or "skip" to leave the step out; after `patience` skipped steps in a row it stops all the same,
            since nothing is learnt any more.
    """

    def __init__(self, policy: str = "stop", patience: int = 10):
        self.policy = policy
        self.patience = patience
        self.skipped_steps = 0
        self._in_a_row = 0
        self._must_skip = False
        self._buffers: list[torch.Tensor] = []

    def check(self, loss: torch.Tensor, args: Any, step: int, batch: Mapping[str, Any] | None) -> bool:
        """Whether the loss of one process's micro-batch is finite; raises `NonFiniteLossError` if it must stop."""
        # The Trainer waits for the loss at this point, too, so nothing is lost by it.
        if torch.isfinite(loss).all():
            return True
        path = os.path.join(args.output_dir, "nonfinite_loss", f"step_{step}_rank_{args.process_index}.json")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with replacing(path) as temporary:
            temporary.write_text(json.dumps({"step": step, "loss": str(loss.item()), "batch": batch}, default=str))
        message = f"The loss of step {step} is {loss.item()}; the indices of its batch are in {path}."
        if self.policy == "stop":
            raise NonFiniteLossError(
                f"{message} Look at those examples, lower the learning rate, or go on without such steps with "
                "on_nonfinite_loss='skip'."
            )
        logger.warning("%s The step is skipped.", message)
        self._must_skip = True
        return False

    def on_step_begin(self, args, state, control, model=None, **kwargs):
        if self.policy == "skip":
            self._buffers = [buffer.clone() for buffer in model.buffers()]

    def on_pre_optimizer_step(self, args, state, control, model=None, optimizer=None, **kwargs):
        if self.policy == "stop":
            return
        must_skip = self._must_skip
        if args.world_size > 1:
            flag = torch.tensor(int(must_skip), device=args.device)
            dist.all_reduce(flag)
            must_skip = bool(flag)
        self._must_skip = False
        self._in_a_row = self._in_a_row + 1 if must_skip else 0
        if self._in_a_row > self.patience:
            raise NonFiniteLossError(
                f"The loss was NaN or infinite in {self._in_a_row} steps in a row: resume from an earlier checkpoint "
                "with a lower learning rate."
            )
        if must_skip:
            self.skipped_steps += 1
            # A forward pass with NaN would stay in the running statistics of batch norm.
            for buffer, kept in zip(model.buffers(), self._buffers, strict=True):
                buffer.copy_(kept)
            if getattr(optimizer, "scaler", None) is None:  # which skips the step itself
                # Optimisers leave parameters without a gradient as they are.
                optimizer.zero_grad(set_to_none=True)
