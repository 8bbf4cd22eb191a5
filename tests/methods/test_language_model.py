"""Objectives of language models against a plain computation, on unequal halves with padding."""

from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F

from hf_oe import next_token
from hf_oe.methods.language_model import NextTokenLoss, token_uniform, unigram

VOCABULARY, END = 11, 3


def batch(dtype=torch.float32):
    """Two in-distribution rows and three outliers; the last two rows are padded, one on either side."""
    generator = torch.Generator().manual_seed(0)
    logits = (3 * torch.randn(5, 6, VOCABULARY, generator=generator)).to(dtype).requires_grad_()
    input_ids = torch.randint(4, VOCABULARY, (5, 6), generator=generator)
    input_ids[2, 3] = END
    mask = torch.ones(5, 6, dtype=torch.long)
    mask[3, 4:] = 0
    mask[4, :2] = 0
    labels = input_ids.clone()
    labels[0, 2] = -100
    labels[2:] = -100
    return logits, input_ids, mask, labels, torch.arange(5) >= 2


MODEL = SimpleNamespace(config=SimpleNamespace(eos_token_id=END, pad_token_id=None))


def naive(logits, input_ids, mask, labels, is_outlier, target):
    inside, outside = [], []
    for row in range(len(input_ids)):
        for t in range(input_ids.shape[1] - 1):
            log_p = logits[row, t].double().log_softmax(dim=-1)
            if not (mask[row, t] and mask[row, t + 1]):
                continue
            if is_outlier[row] and input_ids[row, t + 1] != END:
                outside.append(-(target * log_p).sum())
            if not is_outlier[row] and labels[row, t + 1] != -100:
                inside.append(-log_p[labels[row, t + 1]])
    return torch.stack(inside).mean(), torch.stack(outside).mean()


@pytest.mark.parametrize("objective", [token_uniform, unigram])
@pytest.mark.parametrize("chunk", [1, 3 * VOCABULARY, 1 << 22])
def test_parts_and_gradient_are_those_of_a_plain_computation(objective, chunk, monkeypatch):
    monkeypatch.setattr(next_token, "_CHUNK", chunk)
    logits, input_ids, mask, labels, is_outlier = batch()
    frequencies = torch.arange(VOCABULARY) / torch.arange(VOCABULARY).sum()
    target = torch.full((VOCABULARY,), 1 / VOCABULARY) if objective is token_uniform else frequencies
    model = SimpleNamespace(**vars(MODEL), unigram_frequencies=frequencies)
    inputs = {"input_ids": input_ids, "attention_mask": mask}
    parts = objective({"logits": logits}, labels, is_outlier, weight=0.3, inputs=inputs, model=model)
    inside, outside = naive(logits, input_ids, mask, labels, is_outlier, target)
    torch.testing.assert_close(parts["in_distribution"], inside.float())
    torch.testing.assert_close(parts["outlier"], 0.3 * outside.float())
    (expected,) = torch.autograd.grad(inside + 0.3 * outside, logits)
    (gradient,) = torch.autograd.grad(sum(parts.values()), logits)
    torch.testing.assert_close(gradient, expected)


def test_each_part_has_a_gradient_of_its_own():
    logits, *rest = batch(torch.float64)
    weights = [torch.rand(30), torch.rand(30)]
    rows, targets = logits.flatten(0, 1), rest[0].flatten()
    for part in (0, 1):
        loss = NextTokenLoss.apply(rows, targets, *weights, None)[part]
        log_p = rows.log_softmax(dim=-1)
        plain = -(weights[0] * log_p.gather(1, targets[:, None])[:, 0]).sum() if part == 0 else None
        plain = plain if part == 0 else -(weights[1] * log_p.mean(dim=-1)).sum()
        (gradient,), (expected,) = (torch.autograd.grad(value, logits, retain_graph=True) for value in (loss, plain))
        torch.testing.assert_close(gradient, expected, rtol=1e-5, atol=1e-6)


def test_half_precision_logits_are_computed_in_float32():
    logits, input_ids, mask, labels, is_outlier = batch(torch.bfloat16)
    inputs = {"input_ids": input_ids, "attention_mask": mask}
    parts = token_uniform({"logits": logits}, labels, is_outlier, inputs=inputs, model=MODEL)
    full = token_uniform({"logits": logits.float()}, labels, is_outlier, inputs=inputs, model=MODEL)
    torch.testing.assert_close(parts, full)
    sum(parts.values()).backward()
    assert logits.grad.dtype == torch.bfloat16


def test_without_mask_all_tokens_count_and_a_penalty_is_added():
    logits, input_ids, _, labels, is_outlier = batch()
    outputs = {"logits": logits, "penalty": torch.tensor(0.25)}
    parts = token_uniform(outputs, labels, is_outlier, inputs={"input_ids": input_ids}, model=MODEL)
    assert parts["penalty"] == 0.25
    whole = torch.ones_like(input_ids)
    target = torch.full((VOCABULARY,), 1 / VOCABULARY)
    inside, outside = naive(logits, input_ids, whole, labels, is_outlier, target)
    torch.testing.assert_close(parts["in_distribution"], inside.float())
    torch.testing.assert_close(parts["outlier"], 0.5 * outside.float())


def test_an_empty_half_counts_nothing():
    logits, input_ids, mask, labels, _ = batch()
    inputs = {"input_ids": input_ids, "attention_mask": mask}
    parts = token_uniform({"logits": logits}, labels, torch.zeros(5, dtype=torch.bool), inputs=inputs, model=MODEL)
    assert parts["outlier"] == 0
    sum(parts.values()).backward()
    assert torch.equal(logits.grad[2:], torch.zeros_like(logits[2:]))
    assert F.mse_loss(logits.grad[:2], torch.zeros_like(logits[:2])) > 0


def test_unigram_without_frequencies_says_what_to_do():
    logits, input_ids, _, labels, is_outlier = batch()
    with pytest.raises(ValueError, match="OELanguageModelTrainer"):
        unigram({"logits": logits}, labels, is_outlier, inputs={"input_ids": input_ids}, model=MODEL)
