"""PixelCNN++, a density of images, for transformers."""

from transformers import AutoConfig, AutoModel

from .configuration_pixelcnn_pp import PixelCNNPPConfig
from .modeling_pixelcnn_pp import PixelCNNPPModel, PixelCNNPPOutput

__all__ = ["PixelCNNPPConfig", "PixelCNNPPModel", "PixelCNNPPOutput"]

AutoConfig.register(PixelCNNPPConfig.model_type, PixelCNNPPConfig)
AutoModel.register(PixelCNNPPConfig, PixelCNNPPModel)
# A saved model carries its code along, so that it loads with `trust_remote_code` where hf_oe is not installed.
PixelCNNPPConfig.register_for_auto_class()
PixelCNNPPModel.register_for_auto_class("AutoModel")
