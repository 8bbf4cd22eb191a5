"""A branch on any classifier: the classes' outputs stay, it is saved and loaded, text and timm included."""

import pytest
import torch
from transformers import (
    AutoModelForImageClassification,
    AutoModelForSequenceClassification,
    BertConfig,
    BertForSequenceClassification,
    ViTConfig,
    ViTForImageClassification,
)

from hf_oe.models import create_classifier, with_branch

TINY = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}


def image_classifiers():
    names = {0: "cat", 1: "dog", 2: "eel"}
    vit = ViTConfig(
        image_size=32, patch_size=16, id2label=names, label2id={name: i for i, name in names.items()}, **TINY
    )
    return {
        "wide_resnet": lambda: create_classifier("wrn_16_1", 3, id2label=names),
        "timm": lambda: create_classifier("resnet10t", 3, id2label=names),
        "transformers": lambda: ViTForImageClassification(vit),
    }


@pytest.mark.parametrize("kind", image_classifiers())
def test_the_classes_stay_and_it_loads_again(tmp_path, kind):
    classifier = image_classifiers()[kind]().eval()
    images = torch.rand(2, 3, 32, 32)
    with torch.inference_mode():
        expected = classifier(images).logits
        model = with_branch(classifier).eval()
        model.confidence_weight.fill_(0.25)
        outputs = model(images, labels=torch.tensor([0, -100]))
    torch.testing.assert_close(outputs.logits, expected)
    assert outputs.branch_logits.shape == (2,) and model.config.id2label[1] == "dog"
    torch.testing.assert_close(outputs.loss, torch.nn.functional.cross_entropy(expected[:1], torch.tensor([0])))
    model.save_pretrained(tmp_path)
    loaded = AutoModelForImageClassification.from_pretrained(tmp_path).eval()
    assert loaded.config.id2label == model.config.id2label and loaded.confidence_weight.item() == 0.25
    with torch.inference_mode():
        again = loaded(images)
    torch.testing.assert_close(again.logits, expected)
    torch.testing.assert_close(again.branch_logits, outputs.branch_logits)


def test_a_text_classifier(tmp_path):
    classifier = BertForSequenceClassification(BertConfig(vocab_size=11, num_labels=4, **TINY)).eval()
    tokens = {"input_ids": torch.tensor([[1, 2, 3]]), "attention_mask": torch.tensor([[1, 1, 0]])}
    with torch.inference_mode():
        expected = classifier(**tokens).logits
        model = with_branch(classifier).eval()
        torch.testing.assert_close(model(**tokens).logits, expected)
        model.save_pretrained(tmp_path)
        loaded = AutoModelForSequenceClassification.from_pretrained(tmp_path).eval()
        torch.testing.assert_close(loaded(**tokens).branch_logits, model(**tokens).branch_logits)


def test_one_branch_is_enough_and_gradients_reach_everything():
    model = with_branch(create_classifier("oe_mnist_convnet", 10))
    assert with_branch(model) is model
    outputs = model(torch.rand(2, 1, 28, 28))
    (outputs.logits.square().sum() + outputs.branch_logits.sum()).backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_a_classifier_without_a_linear_class_layer_is_refused():
    classifier = create_classifier("oe_mnist_convnet", 10)
    classifier.mnist_convnet.fc2 = torch.nn.Conv1d(50, 10, 1)
    with pytest.raises(ValueError, match="has no linear layer with 10 outputs"):
        with_branch(classifier)
