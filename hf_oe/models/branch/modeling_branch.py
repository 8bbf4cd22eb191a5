"""A classifier with one more output unit, linear in the features that its class layer sees.

As a confidence branch the unit's sigmoid says how sure the network is (DeVries and Taylor 2018, section 2); as a
reject option it is the logit of a further class (Bartlett and Wegkamp 2008). Only torch, transformers and this folder
are imported: the file travels with a saved model. Without hf_oe such a model loads if the classifier inside is one of
transformers or timm.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import AutoModelForImageClassification, AutoModelForSequenceClassification, PreTrainedModel
from transformers.utils import ModelOutput

from .configuration_branch import BranchConfig


@dataclass
class BranchOutput(ModelOutput):
    """Class logits `(batch, classes)` and branch logits `(batch,)`, float; the loss is the mean cross entropy."""

    loss: Tensor | None = None
    logits: Tensor | None = None
    branch_logits: Tensor | None = None
    hidden_states: tuple[Tensor, ...] | None = None


class _Branch(PreTrainedModel):
    """What both kinds of classifiers share; a new one is made by `with_branch`."""

    config_class = BranchConfig
    accepts_loss_kwargs = False
    supports_gradient_checkpointing = True
    auto_class: Any = None

    def __init__(self, config: BranchConfig, classifier: PreTrainedModel | None = None) -> None:
        super().__init__(config)
        # The factor of the confidence penalty, which training adapts.
        self.register_buffer("confidence_weight", torch.tensor(0.1))
        if classifier is None:
            self.classifier = self.auto_class.from_config(config.classifier)
        self.post_init()
        if classifier is not None:
            # After `post_init`, which would draw its weights anew.
            self.classifier = classifier

    def _forward(self, labels: Tensor | None, return_dict: bool | None, **inputs: Any) -> BranchOutput | tuple:
        outputs = self.classifier(**{name: value for name, value in inputs.items() if value is not None})
        logits, branch_logits = outputs["logits"][:, :-1], outputs["logits"][:, -1]
        output = BranchOutput(
            loss=None if labels is None else F.cross_entropy(logits, labels, ignore_index=-100),
            logits=logits,
            branch_logits=branch_logits,
            hidden_states=outputs.get("hidden_states"),
        )
        return output.to_tuple() if return_dict is False else output


class BranchForImageClassification(_Branch):
    """An image classifier with a branch.

    Example:
        >>> model = with_branch(AutoModelForImageClassification.from_pretrained("your/classifier"))
        >>> model(pixel_values).branch_logits.shape
        torch.Size([2])
    """

    main_input_name = "pixel_values"
    input_modalities = ("image",)
    auto_class = AutoModelForImageClassification

    def forward(
        self, pixel_values: Tensor, labels: Tensor | None = None, return_dict: bool | None = None, **kwargs: Any
    ) -> BranchOutput | tuple:
        """Classifies images; `labels` `(batch,)`, int64, are -100 where they do not count."""
        return self._forward(labels, return_dict, pixel_values=pixel_values, **kwargs)


class BranchForSequenceClassification(_Branch):
    """A text classifier with a branch."""

    main_input_name = "input_ids"
    input_modalities = ("text",)
    auto_class = AutoModelForSequenceClassification

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        labels: Tensor | None = None,
        return_dict: bool | None = None,
        **kwargs: Any,
    ) -> BranchOutput | tuple:
        """Classifies texts; `labels` `(batch,)`, int64, are -100 where they do not count."""
        inputs = {"input_ids": input_ids, "attention_mask": attention_mask, "token_type_ids": token_type_ids}
        return self._forward(labels, return_dict, **inputs, **kwargs)


def with_branch(classifier: PreTrainedModel) -> _Branch:
    """The classifier, its weights kept, with one more unit beside its class layer; one that has it is returned as is.

    The class layer of `classifier` is widened in place.

    Raises:
        ValueError: if the classifier does not end in a linear layer.
    """
    if isinstance(classifier, _Branch):
        return classifier
    kinds = {"pixel_values": BranchForImageClassification, "input_ids": BranchForSequenceClassification}
    config = copy.deepcopy(classifier.config)
    widened = copy.deepcopy(classifier.config)
    widened.num_labels = config.num_labels + 1
    name = class_layer_name(classifier)
    parent, _, attribute = name.rpartition(".")
    layer = classifier.get_submodule(name)
    setattr(classifier.get_submodule(parent), attribute, _widened(layer))
    classifier.config = widened
    classifier.num_labels = widened.num_labels
    branch_config = BranchConfig(classifier=widened, id2label=config.id2label, label2id=config.label2id)
    return kinds[classifier.main_input_name](branch_config, classifier)


def class_layer_name(classifier: PreTrainedModel) -> str:
    classes = classifier.config.num_labels
    names = [
        name
        for name, module in classifier.named_modules()
        if isinstance(module, nn.Linear) and module.out_features == classes
    ]
    if not names:
        raise ValueError(
            f"`classifier` {type(classifier).__name__} has no linear layer with {classes} outputs, its number of "
            "classes: a branch can only be added beside one."
        )
    return names[-1]


def _widened(layer: nn.Linear) -> nn.Linear:
    """A layer with one more output, initialised as torch does; the others are those of `layer`."""
    wider = nn.Linear(layer.in_features, layer.out_features + 1, layer.bias is not None)
    wider.to(layer.weight.device, layer.weight.dtype)
    with torch.no_grad():
        wider.weight[:-1] = layer.weight
        if layer.bias is not None:
            wider.bias[:-1] = layer.bias
    return wider
