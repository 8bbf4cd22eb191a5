"""How a model was trained, for the section `oe` of its config."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from transformers.trainer_utils import has_length

from ..arguments import OETrainingArguments
from ..scores import SCORES


def training_settings(
    args: OETrainingArguments, outlier_dataset: Any, outlier_names: Sequence[str] | None = None
) -> dict[str, Any]:
    """What `OETrainer` records when it saves: the anomaly score, the version, and, with outliers, how they were used.

    Entries: `score`, `hf_oe_version`, and with outliers `objective`, `objective_kwargs` (if any), `outlier_weight` and
    `outliers`, see `describe_dataset`, by `outlier_names` if there is one for each set.
    """
    from .. import __version__

    settings: dict[str, Any] = {"hf_oe_version": __version__}
    # Detectors hold a fit that is not saved with the model, so only scores of its outputs can travel.
    if of_outputs := [name for name in args.score if name in SCORES]:
        settings["score"] = of_outputs[0]
    if outlier_dataset is not None:
        settings |= {"objective": args.objective, "outlier_weight": args.outlier_weight}
        if args.objective_kwargs:
            settings["objective_kwargs"] = args.objective_kwargs
        sets = describe_dataset(outlier_dataset)
        if outlier_names and len(outlier_names) == len(sets):
            sets = [{**entry, "name": name} for entry, name in zip(sets, outlier_names, strict=True)]
        settings["outliers"] = sets
    return settings


def describe_dataset(dataset: Any) -> list[dict[str, Any]]:
    """For each set that a dataset is made of: `name`, `revision` (the Hub's commit) and `examples`, where known.

    Wrappers (`dataset`) and concatenations (`datasets`) are looked into; a dataset of another kind goes by the name of
    its class.
    """
    if hasattr(dataset, "datasets"):
        return [entry for part in dataset.datasets for entry in describe_dataset(part)]
    if hasattr(dataset, "dataset"):
        return describe_dataset(dataset.dataset)
    info = getattr(dataset, "info", None)
    entry = {"name": getattr(info, "dataset_name", None) or getattr(dataset, "name", None) or type(dataset).__name__}
    if revision := _revision(info):
        entry["revision"] = revision
    if has_length(dataset):
        entry["examples"] = len(dataset)
    return [entry]


def _revision(info: Any) -> str | None:
    """The commit in the addresses `hf://datasets/<repository>@<commit>/…` that `datasets` keeps of a download."""
    for source in getattr(info, "download_checksums", None) or {}:
        if found := re.search(r"@([0-9a-f]{40})/", source):
            return found[1]
    return None
