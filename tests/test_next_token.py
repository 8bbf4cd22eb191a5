"""Scores of tokens and sequences: against a plain computation, and whatever the padding and the company."""

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from hf_oe import next_token
from hf_oe.models import AWDLSTMConfig, AWDLSTMForCausalLM
from hf_oe.next_token import right_padded, token_scores

SCORES = ("token_nll", "kl_uniform", "msp")
LENGTHS = (9, 5, 2)


def models():
    torch.manual_seed(0)
    yield "gpt2", GPT2LMHeadModel(GPT2Config(vocab_size=40, n_positions=16, n_embd=16, n_layer=2, n_head=2))
    small = {"vocab_size": 40, "embedding_size": 8, "hidden_size": 12, "num_layers": 2}
    yield "lstm", AWDLSTMForCausalLM(AWDLSTMConfig(**small))
    yield "qrnn", AWDLSTMForCausalLM(AWDLSTMConfig(**small, cell="qrnn"))


@pytest.fixture(params=models(), ids=lambda named: named[0])
def model(request):
    return request.param[1].eval()


def sequences():
    generator = torch.Generator().manual_seed(1)
    return [torch.randint(40, (length,), generator=generator) for length in LENGTHS]


def padded(side, length=12):
    input_ids, mask = torch.full((len(LENGTHS), length), 39), torch.zeros(len(LENGTHS), length, dtype=torch.long)
    for row, tokens in enumerate(sequences()):
        place = slice(0, len(tokens)) if side == "right" else slice(length - len(tokens), length)
        input_ids[row, place], mask[row, place] = tokens, 1
    return {"input_ids": input_ids, "attention_mask": mask}


def test_scores_are_those_of_the_logits_before_each_token(model):
    tokens = sequences()[0]
    log_p = model(tokens[None]).logits[0].log_softmax(dim=-1)
    found = token_scores(model, {"input_ids": tokens[None]}, SCORES)
    assert all(found[name].shape == (1, 9) and found[name][0, 0].isnan() for name in SCORES)
    expected = {
        "token_nll": -log_p[:-1].gather(1, tokens[1:, None])[:, 0],
        "kl_uniform": log_p[:-1].mean(dim=-1),
        "msp": -log_p[:-1].exp().amax(dim=-1),
    }
    for name in SCORES:
        torch.testing.assert_close(found[name][0, 1:], expected[name])


@pytest.mark.parametrize("side", ["left", "right"])
def test_neither_padding_nor_the_rest_of_the_batch_matters(model, side):
    inputs = padded(side)
    together = token_scores(model, inputs, SCORES)
    for row, tokens in enumerate(sequences()):
        alone = token_scores(model, {"input_ids": tokens[None]}, SCORES)
        for name in SCORES:
            attended = together[name][row][inputs["attention_mask"][row].bool()]
            torch.testing.assert_close(attended[1:], alone[name][0, 1:], rtol=0, atol=1e-5)
            assert together[name][row].isnan().sum() == 12 - len(tokens) + 1
            torch.testing.assert_close(together[name][row].nanmean(), alone[name].nanmean(dim=1)[0], rtol=0, atol=1e-5)


def test_chunks_change_nothing(model, monkeypatch):
    whole = token_scores(model, padded("left"), SCORES)
    monkeypatch.setattr(next_token, "_CHUNK", 100)
    parts = token_scores(model, padded("left"), SCORES)
    for name in SCORES:
        torch.testing.assert_close(parts[name], whole[name], equal_nan=True)


def test_right_padded_moves_what_has_the_shape_of_the_tokens():
    inputs = padded("left")
    extra = {"labels": inputs["input_ids"].clone(), "is_outlier": torch.tensor([False, True, True])}
    moved = right_padded({**inputs, **extra})
    expected = padded("right")
    assert torch.equal(moved["attention_mask"], expected["attention_mask"])
    assert torch.equal(moved["input_ids"], expected["input_ids"])
    assert torch.equal(moved["labels"], expected["input_ids"])
    assert torch.equal(moved["is_outlier"], extra["is_outlier"])


def test_half_precision_logits_are_scored_in_float32():
    _, model = next(models())
    found = token_scores(model.eval().bfloat16(), padded("right"), ["token_nll"])["token_nll"]
    assert found.dtype == torch.float32
