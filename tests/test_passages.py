"""The page of flagged passages."""

import re

import numpy as np
import torch

from hf_oe.data.sequences import TokenSequences, token_stream, word_tokenizer
from hf_oe.models import AWDLSTMConfig, AWDLSTMForCausalLM
from hf_oe.passages import write_flagged_passages


def test_shows_the_most_anomalous_passages_and_shades_their_tokens(tmp_path):
    texts = ["a b c d"] * 30 + ["x < y"] * 10
    tokenizer = word_tokenizer(texts)
    torch.manual_seed(0)
    model = AWDLSTMForCausalLM(AWDLSTMConfig(len(tokenizer), embedding_size=4, hidden_size=4, num_layers=1))
    optimiser = torch.optim.Adam(model.parameters(), 0.05)
    normal = TokenSequences(token_stream(texts[:30], tokenizer), 10)
    for _ in range(60):
        rows = torch.stack([normal[index]["input_ids"] for index in range(len(normal))])
        model(rows, labels=rows).loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    strange = TokenSequences(token_stream(texts[30:], tokenizer), 10)
    write_flagged_passages(tmp_path / "page.html", model, tokenizer, normal, {"<strange>": strange}, "token_nll")
    page = (tmp_path / "page.html").read_text()
    assert "&lt;strange&gt;: 100% of 3 flagged" in page and page.count('<p class="flagged">') >= 3
    passage = page.split("&lt;strange&gt;")[1].split('<p class="flagged">')[1].split("</p>")[0]
    text = re.sub("<[^>]*>", "", passage).split(" ", 1)[1]
    assert "x &lt; y" in text
    shades = [float(shade) for shade in re.findall(r"/ ([\d.]+)\)", passage)]
    assert len(shades) == 11 and shades[0] == 0 and np.mean(shades) > 0.5
