"""A run's settings, by which runs that differ in their seed only are told from runs that differ in more."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..arguments import OETrainingArguments

_NOT_SETTINGS = ("output_dir", "seed", "data_seed", "data_dir", "resume_from_checkpoint", "disable_tqdm", "run_name")
_NOT_SETTINGS_PREFIXES = ("logging_", "log_", "save_", "report_to", "hub_", "push_to_hub", "dataloader_", "ddp_")


def run_settings(args: Any, training_args: OETrainingArguments) -> dict[str, Any]:
    """What decides a run's figures, JSON-ready: no seeds, no places, nothing of logging and saving.

    Args:
        args: a dataclass of the experiment's own arguments, all of which are kept.
        training_args: of which only those that differ from their defaults are kept.
    """
    defaults = type(training_args)(training_args.output_dir).to_dict()
    changed = {name: value for name, value in training_args.to_dict().items() if value != defaults[name]}
    return {
        name: value
        for name, value in {**asdict(args), **changed}.items()
        if name not in _NOT_SETTINGS and not name.startswith(_NOT_SETTINGS_PREFIXES)
    }
