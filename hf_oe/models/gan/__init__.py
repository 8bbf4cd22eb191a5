"""Generator and discriminator of the GAN outliers (Table 4)."""

from transformers import AutoConfig, AutoModel

from .configuration_dcgan import DCGANConfig
from .modeling_dcgan import DCGANDiscriminator, DCGANGenerator

__all__ = ["DCGANConfig", "DCGANDiscriminator", "DCGANGenerator"]

AutoConfig.register(DCGANConfig.model_type, DCGANConfig)
AutoModel.register(DCGANConfig, DCGANGenerator)
# A saved model carries its code along, so that it loads with `trust_remote_code` where hf_oe is not installed.
DCGANConfig.register_for_auto_class()
DCGANGenerator.register_for_auto_class("AutoModel")
