"""Any transformers or timm classifier with one more output unit: its confidence, or a class to reject into."""

from transformers import AutoConfig, AutoModelForImageClassification, AutoModelForSequenceClassification

from .configuration_branch import BranchConfig
from .modeling_branch import BranchForImageClassification, BranchForSequenceClassification, BranchOutput, with_branch

__all__ = [
    "BranchConfig",
    "BranchForImageClassification",
    "BranchForSequenceClassification",
    "BranchOutput",
    "with_branch",
]

AutoConfig.register(BranchConfig.model_type, BranchConfig)
BranchConfig.register_for_auto_class()
for _auto, _model in (
    (AutoModelForImageClassification, BranchForImageClassification),
    (AutoModelForSequenceClassification, BranchForSequenceClassification),
):
    _auto.register(BranchConfig, _model)
    _model.register_for_auto_class(_auto.__name__)
