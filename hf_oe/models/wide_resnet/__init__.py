"""CIFAR-style Wide ResNets, for transformers and for timm."""

from transformers import AutoConfig, AutoModelForImageClassification

from .configuration_wide_resnet import WideResNetConfig
from .modeling_wide_resnet import WideResNetForImageClassification
from .timm_wide_resnet import WIDE_RESNETS, WideResNet

__all__ = ["WIDE_RESNETS", "WideResNet", "WideResNetConfig", "WideResNetForImageClassification"]

AutoConfig.register(WideResNetConfig.model_type, WideResNetConfig)
AutoModelForImageClassification.register(WideResNetConfig, WideResNetForImageClassification)
# A saved model carries its code along, so that it loads with `trust_remote_code` where hf_oe is not installed.
WideResNetConfig.register_for_auto_class()
WideResNetForImageClassification.register_for_auto_class("AutoModelForImageClassification")
