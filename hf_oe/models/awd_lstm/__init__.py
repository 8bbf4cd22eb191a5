"""AWD-LSTM language models and their QRNN form, for transformers."""

from transformers import AutoConfig, AutoModelForCausalLM

from .configuration_awd_lstm import AWDLSTMConfig
from .modeling_awd_lstm import AWDLSTMForCausalLM

__all__ = ["AWDLSTMConfig", "AWDLSTMForCausalLM"]

AutoConfig.register(AWDLSTMConfig.model_type, AWDLSTMConfig)
AutoModelForCausalLM.register(AWDLSTMConfig, AWDLSTMForCausalLM)
# A saved model carries its code along, so that it loads with `trust_remote_code` where hf_oe is not installed.
AWDLSTMConfig.register_for_auto_class()
AWDLSTMForCausalLM.register_for_auto_class("AutoModelForCausalLM")
