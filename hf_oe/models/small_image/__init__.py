"""Image preprocessing of the paper's networks, saved beside them."""

from transformers import AutoImageProcessor

from ..mnist_convnet import MnistConvNetConfig
from ..wide_resnet import WideResNetConfig
from .image_processing_small_image import SmallImageProcessor

__all__ = ["SmallImageProcessor"]

for config_class in (MnistConvNetConfig, WideResNetConfig):
    AutoImageProcessor.register(
        config_class, image_processor_classes={"pil": SmallImageProcessor, "torchvision": SmallImageProcessor}
    )
# A saved processor carries its code along, as the models do.
SmallImageProcessor.register_for_auto_class()
