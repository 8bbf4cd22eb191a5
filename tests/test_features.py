"""Penultimate features: what the head sees, in every family of classifiers, and refusals."""

import pytest
import torch
import torch.nn.functional as F
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    ConvNextConfig,
    ConvNextForImageClassification,
    GPT2Config,
    GPT2ForSequenceClassification,
    ResNetConfig,
    ResNetForImageClassification,
    TimmWrapperConfig,
    TimmWrapperForImageClassification,
    ViTConfig,
    ViTForImageClassification,
)

from hf_oe.features import captured_features, classifier_head, features_of_logits
from hf_oe.models import create_classifier

from .tiny import tiny_model

SMALL = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
STAGES = {"hidden_sizes": [8, 16], "depths": [1, 1], "num_labels": 5}


def images(size=16, channels=3):
    return {"pixel_values": torch.rand(3, channels, size, size)}


MODELS = {
    "tiny": lambda: (tiny_model(), {"pixel_values": torch.rand(3, 6)}),
    "wide_resnet": lambda: (create_classifier("wrn_16_1", 5), images()),
    "mnist_convnet": lambda: (create_classifier("oe_mnist_convnet", 10), images(28, 1)),
    # Its hidden layers have as many outputs as there are labels: the head is still the last.
    "vit": lambda: (
        ViTForImageClassification(ViTConfig(image_size=16, patch_size=8, num_labels=16, **SMALL)),
        images(),
    ),
    "resnet": lambda: (
        ResNetForImageClassification(ResNetConfig(embedding_size=8, layer_type="basic", **STAGES)),
        images(32),
    ),
    "convnext": lambda: (
        ConvNextForImageClassification(ConvNextConfig(num_stages=2, patch_size=4, **STAGES)),
        images(32),
    ),
    "timm": lambda: (
        TimmWrapperForImageClassification(TimmWrapperConfig(architecture="test_resnet", num_labels=5)),
        images(32),
    ),
    "bert": lambda: (
        BertForSequenceClassification(BertConfig(vocab_size=20, num_labels=4, **SMALL)),
        {"input_ids": torch.randint(20, (3, 7)), "attention_mask": torch.ones(3, 7, dtype=torch.long)},
    ),
}


@pytest.mark.parametrize("name", MODELS)
@torch.no_grad()
def test_the_head_on_the_features_gives_the_logits(name):
    model, inputs = MODELS[name]()
    model.eval()
    with captured_features(model) as features:
        logits = model(**inputs).logits
    (values,) = features
    head = classifier_head(model)
    assert values.shape == (3, head.in_features) and values.dtype == torch.float32
    torch.testing.assert_close(F.linear(values, head.weight, head.bias), logits)
    model(**inputs)
    assert len(features) == 1  # the hook is gone


def test_a_model_without_a_head_is_refused():
    model = tiny_model()
    model.layers[3] = torch.nn.Linear(16, 7)
    with pytest.raises(ValueError, match="TinyClassifier has no linear layer with 3 outputs"):
        classifier_head(model)


@torch.no_grad()
def test_a_head_on_every_position_is_refused_or_the_position_chosen():
    model = GPT2ForSequenceClassification(
        GPT2Config(n_embd=16, n_layer=1, n_head=2, vocab_size=20, num_labels=3, pad_token_id=0)
    ).eval()
    words = torch.tensor([[1, 2, 3, 4, 5], [6, 7, 8, 0, 0]])
    with captured_features(model), pytest.raises(ValueError, match="GPT2ForSequenceClassification takes the shape"):
        model(input_ids=words)
    with captured_features(model, positions=True) as seen:
        logits = model(input_ids=words).logits
    features = features_of_logits(seen[-1], logits, classifier_head(model))
    torch.testing.assert_close(features, seen[-1][[0, 1], [4, 2]])
