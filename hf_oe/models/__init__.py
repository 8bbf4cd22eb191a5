"""Networks of the paper. Importing this registers them with transformers' Auto classes and with timm."""

from .awd_lstm import AWDLSTMConfig, AWDLSTMForCausalLM
from .branch import BranchConfig, BranchForImageClassification, BranchForSequenceClassification, with_branch
from .factory import ARCHITECTURES, create_classifier
from .gan import DCGANConfig, DCGANDiscriminator, DCGANGenerator
from .gru_text import GRUTextConfig, GRUTextForSequenceClassification
from .mnist_convnet import MnistConvNetConfig, MnistConvNetForImageClassification
from .pixelcnn_pp import PixelCNNPPConfig, PixelCNNPPModel
from .small_image import SmallImageProcessor
from .wide_resnet import WideResNetConfig, WideResNetForImageClassification

__all__ = [
    "ARCHITECTURES",
    "DCGANConfig",
    "DCGANDiscriminator",
    "DCGANGenerator",
    "GRUTextConfig",
    "GRUTextForSequenceClassification",
    "BranchConfig",
    "BranchForImageClassification",
    "BranchForSequenceClassification",
    "AWDLSTMConfig",
    "AWDLSTMForCausalLM",
    "MnistConvNetConfig",
    "MnistConvNetForImageClassification",
    "PixelCNNPPConfig",
    "PixelCNNPPModel",
    "SmallImageProcessor",
    "WideResNetConfig",
    "WideResNetForImageClassification",
    "create_classifier",
    "with_branch",
]
