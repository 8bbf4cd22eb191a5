"""The ONNX graph against torch: the same logits, probabilities and anomaly scores, for batches of any size."""

import sys

import numpy as np
import pytest
import torch
from PIL import Image

from hf_oe import pipeline
from hf_oe.config import update_oe_settings
from hf_oe.models import SmallImageProcessor, create_classifier
from hf_oe.onnx import OUTPUTS, export_onnx
from hf_oe.scores import SCORES


def test_without_onnxscript_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(ImportError, match=r"pip install hf_oe\[onnx\]"):
        export_onnx(create_classifier("oe_mnist_convnet", 2), tmp_path / "model.onnx")


def test_a_classifier_needs_an_example(tmp_path):
    pytest.importorskip("onnxscript", reason="onnxscript is not installed: pip install 'hf_oe[onnx]'")
    with pytest.raises(ValueError, match="`inputs` must be an example batch"):
        export_onnx(create_classifier("oe_mnist_convnet", 2), tmp_path / "model.onnx")


def run(path, **inputs):
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: pip install 'hf_oe[onnx]'")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert [output.name for output in session.get_outputs()] == list(OUTPUTS)
    return session.run(None, inputs)


@pytest.mark.parametrize("score", ["msp", "energy"])
def test_images(score, tmp_path):
    pytest.importorskip("onnxscript", reason="onnxscript is not installed: pip install 'hf_oe[onnx]'")
    torch.manual_seed(0)
    model = create_classifier("wrn_16_1", 5).eval()
    update_oe_settings(model, temperature=1.5, score=score)
    detector = pipeline("ood-image-classification", model=model, image_processor=SmallImageProcessor(), device="cpu")
    export_onnx(detector, tmp_path / "model.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]
    generator = np.random.default_rng(0)
    pictures = [Image.fromarray(generator.integers(0, 256, (32, 32, 3), dtype=np.uint8)) for _ in range(5)]
    for batch in (pictures[:1], pictures):
        inputs = detector.data_collator(batch)
        with torch.inference_mode():
            expected = model(**inputs).logits
        logits, probabilities, anomaly_score = run(
            tmp_path / "model.onnx", **{k: v.numpy() for k, v in inputs.items()}
        )
        np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(probabilities, (expected / 1.5).softmax(-1), rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(anomaly_score, SCORES[score](expected), rtol=1e-4, atol=1e-5)


def test_texts_of_any_length(tmp_path):
    pytest.importorskip("onnxscript", reason="onnxscript is not installed: pip install 'hf_oe[onnx]'")
    from transformers import BertConfig, BertForSequenceClassification

    torch.manual_seed(0)
    settings = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    model = BertForSequenceClassification(BertConfig(vocab_size=20, num_labels=3, **settings)).eval()
    example = {
        "input_ids": torch.zeros(1, 4, dtype=torch.int64),
        "attention_mask": torch.ones(1, 4, dtype=torch.int64),
    }
    export_onnx(model, tmp_path / "model.onnx", example)
    ids = torch.randint(20, (3, 9), generator=torch.Generator().manual_seed(0))
    mask = torch.ones_like(ids)
    mask[1, 5:] = 0
    with torch.inference_mode():
        expected = model(input_ids=ids, attention_mask=mask).logits
    logits, _, anomaly_score = run(tmp_path / "model.onnx", input_ids=ids.numpy(), attention_mask=mask.numpy())
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(anomaly_score, SCORES["msp"](expected), rtol=1e-4, atol=1e-5)
