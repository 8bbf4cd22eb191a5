"""Configuration of a classifier with a branch."""

from __future__ import annotations

from typing import Any

from transformers import CONFIG_MAPPING, AutoConfig, PretrainedConfig


class BranchConfig(PretrainedConfig):
    """Configuration of a `BranchForImageClassification` or a `BranchForSequenceClassification`.

    Args:
        classifier: configuration of the classifier inside, or its dictionary; its last label is the branch.
        kwargs: what every `PretrainedConfig` takes; `num_labels` and `id2label` are those without the branch.
    """

    model_type = "oe_branch"
    sub_configs = {"classifier": AutoConfig}

    def __init__(self, classifier: PretrainedConfig | dict[str, Any] | None = None, **kwargs: Any) -> None:
        if isinstance(classifier, dict):
            classifier = CONFIG_MAPPING[classifier["model_type"]].from_dict(classifier)
        self.classifier = classifier
        super().__init__(**kwargs)
