"""The paper's MNIST network, for transformers and for timm."""

from transformers import AutoConfig, AutoModelForImageClassification

from .configuration_mnist_convnet import MnistConvNetConfig
from .modeling_mnist_convnet import MnistConvNetForImageClassification
from .timm_mnist_convnet import MnistConvNet

__all__ = ["MnistConvNet", "MnistConvNetConfig", "MnistConvNetForImageClassification"]

AutoConfig.register(MnistConvNetConfig.model_type, MnistConvNetConfig)
AutoModelForImageClassification.register(MnistConvNetConfig, MnistConvNetForImageClassification)
# A saved model carries its code along, so that it loads with `trust_remote_code` where hf_oe is not installed.
MnistConvNetConfig.register_for_auto_class()
MnistConvNetForImageClassification.register_for_auto_class("AutoModelForImageClassification")
