"""The text guard on tiny models, against scores of the whole batch."""

import pytest
import torch
from transformers import pipeline

from hf_oe.config import update_oe_settings
from hf_oe.data.sequences import character_tokenizer, word_tokenizer
from hf_oe.models import AWDLSTMConfig, AWDLSTMForCausalLM
from hf_oe.next_token import token_scores
from hf_oe.text_guard import OODTextGuardPipeline

TEXT = "the cat  sat on the mat"


@pytest.fixture(params=[word_tokenizer, character_tokenizer])
def parts(request):
    tokenizer = request.param([TEXT])
    torch.manual_seed(0)
    config = AWDLSTMConfig(len(tokenizer), embedding_size=6, hidden_size=6, num_layers=1)
    return AWDLSTMForCausalLM(config).eval(), tokenizer


def test_scores_every_token_where_it_stands(parts):
    model, tokenizer = parts
    found = OODTextGuardPipeline(model, tokenizer=tokenizer)(TEXT)
    ids = torch.tensor([[tokenizer.eos_token_id, *tokenizer(TEXT)["input_ids"]]])
    expected = token_scores(model, {"input_ids": ids}, ["kl_uniform"])["kl_uniform"][0, 1:]
    torch.testing.assert_close(torch.tensor([token["score"] for token in found["tokens"]]), expected)
    assert found["anomaly_score"] == pytest.approx(expected.mean().item())
    assert "".join(token["text"] for token in found["tokens"]).replace(" ", "") == TEXT.replace(" ", "")
    assert all(TEXT[token["start"] : token["end"]] == token["text"] for token in found["tokens"])
    assert found["is_anomalous"] is None


def test_long_texts_are_read_window_by_window(parts):
    model, tokenizer = parts
    found = OODTextGuardPipeline(model, tokenizer=tokenizer, window=3, score="token_nll")(TEXT)
    ids = [tokenizer.eos_token_id, *tokenizer(TEXT)["input_ids"]]
    assert len(found["tokens"]) == len(ids) - 1
    for start in range(0, len(ids) - 1, 3):
        window = torch.tensor([ids[start : start + 4]])
        expected = token_scores(model, {"input_ids": window})["token_nll"][0, 1:]
        scores = torch.tensor([token["score"] for token in found["tokens"][start : start + 3]])
        torch.testing.assert_close(scores, expected)


def test_threshold_given_or_stored(parts):
    model, tokenizer = parts
    guard = OODTextGuardPipeline(model, tokenizer=tokenizer)
    score = guard(TEXT)["anomaly_score"]
    assert guard(TEXT, threshold=score)["is_anomalous"] and not guard(TEXT, threshold=score + 1)["is_anomalous"]
    update_oe_settings(model, threshold={"score": "kl_uniform", "value": score + 1})
    assert guard([TEXT, TEXT])[1]["is_anomalous"] is False
    assert guard(TEXT, score="token_nll")["is_anomalous"] is None


def test_made_by_name_from_a_folder(parts, tmp_path):
    model, tokenizer = parts
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    guard = pipeline("ood-text-guard", model=str(tmp_path))
    expected = OODTextGuardPipeline(model, tokenizer=tokenizer)(TEXT)["anomaly_score"]
    assert guard(TEXT)["anomaly_score"] == pytest.approx(expected, abs=1e-6)


def test_bad_input_is_one_sentence(parts):
    model, tokenizer = parts
    guard = OODTextGuardPipeline(model, tokenizer=tokenizer)
    with pytest.raises(ValueError, match="too few tokens"):
        guard("")
    with pytest.raises(ValueError, match="`window`"):
        guard(TEXT, window=0)
    with pytest.raises(ValueError, match="Unknown score"):
        guard(TEXT, score="surprise")
