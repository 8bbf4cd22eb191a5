"""A classifier that is trained together with a GAN to be unsure about what the GAN makes (Table 4).

Lee, Lee, Lee and Shin 2018, "Training Confidence-calibrated Classifiers for Detecting Out-of-Distribution Samples",
equation 4: the generator learns images that look real and that the classifier is unsure about, which lie at the edge
of the in-distribution; the classifier learns to be unsure about them.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call
from transformers import PretrainedConfig, PreTrainedModel

from .models.gan import DCGANConfig, DCGANDiscriminator, DCGANGenerator
from .trainer import OETrainer


class ClassifierWithGAN(nn.Module):
    """Classifier, generator and discriminator as one module: one step trains them, one checkpoint holds them.

    In evaluation it is the classifier. In training a batch of images gives a loss with four parts, in nats, each of
    which reaches one network only:

    - `in_distribution` and `outlier`: `-log p_y(x)` and `beta * KL[U || p(G(z))]`, for the classifier;
    - `discriminator`: `-log D(x) - log(1 - D(G(z)))`;
    - `generator`: `-log D(G(z)) + beta * KL[U || p(G(z))]`.

    All three learn from the same generated images, where the authors' code makes new ones for the classifier.
    """

    accepts_loss_kwargs = False

    def __init__(
        self, classifier: PreTrainedModel, generator: DCGANGenerator, discriminator: DCGANDiscriminator, beta: float
    ):
        super().__init__()
        self.classifier = classifier
        self.generator = generator
        self.discriminator = discriminator
        self.beta = beta

    @property
    def config(self) -> PretrainedConfig:
        return self.classifier.config

    def forward(self, pixel_values: Tensor, labels: Tensor | None = None) -> Any:
        """The classifier's output in evaluation; in training a dictionary with `loss`, its `parts`, and `logits`.

        Args:
            pixel_values: float `(batch, channels, height, width)`, normalised as the generator's images are.
            labels: int64 `(batch,)`.
        """
        if not self.training:
            return self.classifier(pixel_values=pixel_values, labels=labels)
        generated = self.generator(self.generator.noise(len(pixel_values)))
        fake = generated.detach()
        # Both halves pass together, so that batch norm sees what it will see in Outlier Exposure.
        logits, fake_logits = self.classifier(pixel_values=torch.cat([pixel_values, fake])).logits.chunk(2)
        _, adversarial_logits = _fixed(self.classifier, torch.cat([pixel_values, generated])).logits.chunk(2)
        parts = {
            "in_distribution": F.cross_entropy(logits, labels),
            "outlier": self.beta * _kl_from_uniform(fake_logits),
            "discriminator": F.softplus(-self.discriminator(pixel_values)).mean()
            + F.softplus(self.discriminator(fake)).mean(),
            "generator": F.softplus(-_fixed(self.discriminator, generated)).mean()
            + self.beta * _kl_from_uniform(adversarial_logits),
        }
        return {"loss": sum(parts.values()), "parts": parts, "logits": logits}


def _fixed(network: nn.Module, images: Tensor) -> Any:
    """The network's output, whose gradient reaches the images but not the network; its statistics stay, too."""
    state = {name: value.detach() for name, value in network.named_parameters()}
    state |= {name: value.clone() for name, value in network.named_buffers()}
    return functional_call(network, state, (images,))


def _kl_from_uniform(logits: Tensor) -> Tensor:
    """Mean of `KL[U || softmax]` in nats over the batch; a scalar, at least 0."""
    return (logits.logsumexp(dim=-1) - logits.mean(dim=-1)).mean() - math.log(logits.shape[-1])


class GANTrainer(OETrainer):
    """Trains classifier, generator and discriminator together; the evaluation is the classifier's.

    Adam with the learning rate of `args`, momentum 0.9 for the classifier and 0.5 for the GAN; the rate falls to a
    tenth after 60 % of the steps, as in the authors' code (100 epochs at 2e-4). Checkpoints hold all three networks;
    `save_model` writes the classifier, and the generator into its subfolder `generator`.

    Args:
        model: the classifier.
        gan: size and normalisation of the images; the GAN is new.
        beta: weight of the classifier's uncertainty, for itself and for the generator (authors: 1; 0.1 for CIFAR-10).
        kwargs: what `OETrainer` takes, without outliers.

    Example:
        >>> trainer = GANTrainer(model, args, gan=DCGANConfig(image_size=28, num_channels=1), train_dataset=train)
        >>> trainer.train()
        >>> outliers = GeneratedImages(trainer.model.generator, count=50_000)
    """

    def __init__(
        self, model: PreTrainedModel, args: Any = None, *, gan: DCGANConfig, beta: float = 1.0, **kwargs: Any
    ):
        if kwargs.get("outlier_dataset") is not None:
            raise ValueError("`outlier_dataset` must be left out: here the generator makes the outliers.")
        joint = ClassifierWithGAN(model, DCGANGenerator(gan), DCGANDiscriminator(gan), beta)
        super().__init__(joint, args, **kwargs)

    @property
    def trained_model(self) -> PreTrainedModel:
        return super().trained_model.classifier

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        outputs = model(**inputs)
        loss = self._add_up(outputs["parts"]) if "parts" in outputs else outputs["loss"]
        return (loss, outputs) if return_outputs else loss

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        if self.optimizer is None:
            joint = self.accelerator.unwrap_model(self.model if model is None else model)
            gan = [*joint.generator.parameters(), *joint.discriminator.parameters()]
            groups = [{"params": list(joint.classifier.parameters())}, {"params": gan, "betas": (0.5, 0.999)}]
            self.optimizer = torch.optim.Adam(groups, lr=self.args.learning_rate)
        return self.optimizer

    def create_scheduler(self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None) -> Any:
        if self.lr_scheduler is None:
            milestone = round(0.6 * num_training_steps)
            self.lr_scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer or self.optimizer, [milestone], 0.1)
            self._created_lr_scheduler = True
        return self.lr_scheduler

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Tensor] | None = None) -> None:
        # A checkpoint's format takes no weights in the channels-last layout.
        state_dict = self.model.state_dict() if state_dict is None else state_dict
        super()._save(output_dir, {name: value.contiguous() for name, value in state_dict.items()})

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        if _internal_call:
            super().save_model(output_dir, _internal_call)
        elif self.args.should_save:
            output_dir = output_dir or self.args.output_dir
            self.trained_model.save_pretrained(output_dir)
            super().trained_model.generator.save_pretrained(f"{output_dir}/generator")
