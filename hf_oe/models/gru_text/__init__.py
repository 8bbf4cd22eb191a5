"""The text classifier of the published paper, for transformers."""

from transformers import AutoConfig, AutoModelForSequenceClassification

from .configuration_gru_text import GRUTextConfig
from .modeling_gru_text import GRUTextForSequenceClassification

__all__ = ["GRUTextConfig", "GRUTextForSequenceClassification"]

AutoConfig.register(GRUTextConfig.model_type, GRUTextConfig)
AutoModelForSequenceClassification.register(GRUTextConfig, GRUTextForSequenceClassification)
# A saved model carries its code along, so that it loads with `trust_remote_code` where hf_oe is not installed.
GRUTextConfig.register_for_auto_class()
GRUTextForSequenceClassification.register_for_auto_class("AutoModelForSequenceClassification")
