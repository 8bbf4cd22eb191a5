from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch
from transformers import AutoModelForSequenceClassification

from hf_oe.models import GRUTextConfig, GRUTextForSequenceClassification

LENGTHS = [7, 3, 1, 5]


def model(**settings) -> GRUTextForSequenceClassification:
    torch.manual_seed(0)
    return GRUTextForSequenceClassification(GRUTextConfig(vocab_size=50, num_labels=6, **settings)).eval()


def texts(side: str, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids, padded to `width` on one side, and their mask."""
    generator = torch.Generator().manual_seed(1)
    ids, mask = torch.zeros(len(LENGTHS), width, dtype=torch.long), torch.zeros(len(LENGTHS), width, dtype=torch.long)
    for row, length in enumerate(LENGTHS):
        place = slice(width - length, width) if side == "left" else slice(0, length)
        ids[row, place] = torch.randint(1, 50, (length,), generator=generator)
        mask[row, place] = 1
    return ids, mask


def test_parameter_count_of_the_published_network():
    settings = GRUTextConfig(vocab_size=10_002, num_labels=20)
    gates = 3 * 128
    layers = gates * (50 + 128 + 2) + gates * (128 + 128 + 2)
    assert GRUTextForSequenceClassification(settings).num_parameters() == 10_002 * 50 + layers + 128 * 20 + 20


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("width", [7, 8, 60])
def test_logits_depend_neither_on_padding_nor_on_the_other_texts(side, width):
    network = model()
    alone = []
    ids, mask = texts(side, width)
    for row, length in enumerate(LENGTHS):
        words = ids[row][mask[row].bool()][None]
        _, last = network.gru(network.embedding(words))
        assert words.shape == (1, length)
        alone.append(network.classifier(last[-1]))
    expected = torch.cat(alone)
    torch.testing.assert_close(network(ids, attention_mask=mask).logits, expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(network(ids).logits, expected, rtol=0, atol=1e-5)


def test_a_padding_token_that_the_mask_counts_is_a_word():
    ids = torch.tensor([[5, 0]])
    network = model()
    assert not torch.allclose(network(ids, attention_mask=torch.ones_like(ids)).logits, network(ids).logits)


def test_a_text_without_words_has_logits():
    assert model()(torch.zeros(2, 4, dtype=torch.long)).logits.isfinite().all()


def test_loss_ignores_unlabelled_rows_and_features_are_what_the_last_layer_sees():
    network = model()
    ids, mask = texts("left", 9)
    output = network(ids, attention_mask=mask, labels=torch.tensor([0, -100, 5, -100]), output_hidden_states=True)
    expected = torch.nn.functional.cross_entropy(output.logits[[0, 2]], torch.tensor([0, 5]))
    torch.testing.assert_close(output.loss, expected)
    torch.testing.assert_close(network.classifier(output.hidden_states[0]), output.logits)
    assert isinstance(network(ids, return_dict=False), tuple)


WITHOUT_HF_OE = """
import sys
sys.modules["hf_oe"] = None  # makes every import of it fail
import torch
from transformers import AutoModelForSequenceClassification

expected = torch.load("expected.pt")
model = AutoModelForSequenceClassification.from_pretrained("model", trust_remote_code=True).eval()
assert torch.equal(model(expected["input_ids"]).logits, expected["logits"])
"""


def test_saved_and_loaded_gives_identical_logits_with_and_without_hf_oe(tmp_path):
    network, (ids, _) = model(), texts("left", 8)
    network.save_pretrained(tmp_path / "model")
    with torch.no_grad():
        logits = network(ids).logits
    loaded = AutoModelForSequenceClassification.from_pretrained(tmp_path / "model").eval()
    assert type(loaded) is type(network) and torch.equal(loaded(ids).logits, logits)
    torch.save({"input_ids": ids, "logits": logits}, tmp_path / "expected.pt")
    subprocess.run(
        [sys.executable, "-c", WITHOUT_HF_OE],
        check=True,
        cwd=tmp_path,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "HF_MODULES_CACHE": str(tmp_path / "modules")},
    )


@pytest.mark.parametrize(
    "settings", [{"vocab_size": 0}, {"hidden_size": 0}, {"num_hidden_layers": 0}, {"pad_token_id": 10_002}]
)
def test_impossible_settings_are_refused(settings):
    with pytest.raises(ValueError, match=f"`{next(iter(settings))}`"):
        GRUTextConfig(**settings)
