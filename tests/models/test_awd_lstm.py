"""AWD-LSTM and its QRNN form against plain computations, and the contract of a transformers model."""

import subprocess
import sys

import pytest
import torch
from torch import nn
from transformers import AutoModelForCausalLM

from hf_oe.models import AWDLSTMConfig, AWDLSTMForCausalLM
from hf_oe.models.awd_lstm.modeling_awd_lstm import ForgetMult

SMALL = {"vocab_size": 30, "embedding_size": 8, "hidden_size": 12, "num_layers": 3}


def small_model(cell="lstm", **settings):
    torch.manual_seed(0)
    return AWDLSTMForCausalLM(AWDLSTMConfig(**SMALL, cell=cell, **settings))


def tokens(batch=3, length=9):
    return torch.randint(30, (batch, length), generator=torch.Generator().manual_seed(1))


def test_the_papers_word_model_has_24_million_parameters():
    with torch.device("meta"):
        model = AWDLSTMForCausalLM(AWDLSTMConfig())
    model.tie_weights()
    assert round(model.num_parameters() / 1e6, 1) == 24.2


def test_lstm_layers_are_those_of_torch():
    model = small_model().eval()
    x = model.encoder(tokens())
    for layer in model.layers:
        reference = nn.LSTM(layer.weight_ih.shape[1], layer.output_size, batch_first=True)
        reference.load_state_dict({f"{name}_l0": value for name, value in layer.state_dict().items()})
        x, _ = reference(x)
    torch.testing.assert_close(model(tokens()).logits, x @ model.encoder.weight.T + model.decoder.bias)


def test_qrnn_layers_follow_their_equations():
    model = small_model("qrnn").eval()
    x = model.encoder(tokens())
    for index, layer in enumerate(model.layers):
        window = 2 if index == 0 else 1
        state, outputs = torch.zeros(3, layer.bias.shape[0] // 3), []
        for t in range(x.shape[1]):
            seen = [x[:, t - back] if t >= back else torch.zeros_like(x[:, 0]) for back in reversed(range(window))]
            z, f, o = (torch.cat(seen, dim=1) @ layer.weight.T + layer.bias).chunk(3, dim=1)
            state = f.sigmoid() * state + (1 - f.sigmoid()) * z.tanh()
            outputs.append(o.sigmoid() * state)
        x = torch.stack(outputs, dim=1)
    torch.testing.assert_close(model(tokens()).logits, x @ model.encoder.weight.T + model.decoder.bias)


def test_gradient_of_the_recurrent_pooling():
    generator = torch.Generator().manual_seed(0)
    candidate, forget = (torch.rand(5, 2, 3, generator=generator, dtype=torch.double) for _ in range(2))
    assert torch.autograd.gradcheck(ForgetMult.apply, (candidate.requires_grad_(), forget.requires_grad_()))


@pytest.mark.parametrize("cell", ["lstm", "qrnn"])
@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_on_either_side_changes_nothing(cell, side):
    model = small_model(cell).eval()
    padding, ones = torch.full((3, 4), 7), torch.ones(3, 9, dtype=torch.long)
    parts = [padding, tokens()] if side == "left" else [tokens(), padding]
    masks = [torch.zeros_like(padding), ones] if side == "left" else [ones, torch.zeros_like(padding)]
    logits = model(torch.cat(parts, dim=1), attention_mask=torch.cat(masks, dim=1)).logits
    logits = logits[:, 4:] if side == "left" else logits[:, :9]
    torch.testing.assert_close(logits, model(tokens()).logits)


def test_loss_is_that_of_the_next_tokens_and_training_adds_the_penalties():
    model = small_model(output_dropout=0, hidden_dropout=0, input_dropout=0, embedding_dropout=0, weight_dropout=0)
    labels = tokens().masked_fill(torch.arange(9) > 6, -100)
    evaluated = model.eval()(tokens(), labels=labels)
    expected = nn.functional.cross_entropy(evaluated.logits[:, :6].flatten(0, 1), labels[:, 1:7].flatten())
    torch.testing.assert_close(evaluated.loss, expected)
    assert evaluated.penalty is None

    hidden = torch.linalg.lstsq(model.decoder.weight, (evaluated.logits - model.decoder.bias)[0].T).solution.T
    hidden = torch.stack(
        [torch.linalg.lstsq(model.decoder.weight, (row - model.decoder.bias).T).solution.T for row in evaluated.logits]
    )
    penalty = 2 * hidden.square().mean() + (hidden[:, 1:] - hidden[:, :-1]).square().mean()
    trained = model.train()(tokens(), labels=labels)
    torch.testing.assert_close(trained.penalty, penalty, rtol=1e-3, atol=1e-6)
    torch.testing.assert_close(trained.loss, expected + trained.penalty)


@pytest.mark.parametrize("cell", ["lstm", "qrnn"])
def test_dropout_only_in_training_and_every_parameter_learns(cell):
    model = small_model(cell)
    assert not torch.equal(model(tokens()).logits, model(tokens()).logits)
    model(tokens(), labels=tokens()).loss.backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in model.parameters())
    model.eval()
    assert torch.equal(model(tokens()).logits, model(tokens()).logits)


def test_locked_dropout_is_the_same_at_every_token():
    model = small_model(input_dropout=0.5)
    seen = []
    model.layers[0].register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    model(tokens())
    dropped = (seen[0] == 0).float().mean(dim=1)
    assert set(dropped[dropped > 0.5].tolist()) == {1.0}


def test_bfloat16_autocast():
    for cell in ("lstm", "qrnn"):
        model = small_model(cell)
        with torch.autocast("cpu", torch.bfloat16):
            loss = model(tokens(), labels=tokens()).loss
        loss.backward()
        assert loss.isfinite()


@pytest.mark.parametrize("cell", ["lstm", "qrnn"])
def test_saved_and_loaded(cell, tmp_path):
    model = small_model(cell).eval()
    model.save_pretrained(tmp_path)
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    assert loaded.decoder.weight is loaded.encoder.weight
    assert torch.equal(loaded(tokens()).logits, model(tokens()).logits)


def test_loads_where_hf_oe_is_not_installed(tmp_path):
    small_model().save_pretrained(tmp_path / "model")
    code = (
        "import sys; sys.modules['hf_oe'] = None\n"
        "from transformers import AutoModelForCausalLM\n"
        f"model = AutoModelForCausalLM.from_pretrained({str(tmp_path / 'model')!r}, trust_remote_code=True)\n"
        "print(type(model).__name__, model.num_parameters())"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert run.stdout.split() == ["AWDLSTMForCausalLM", str(small_model().num_parameters())], run.stderr


@pytest.mark.parametrize("settings", [{"cell": "gru"}, {"hidden_size": 0}, {"weight_dropout": 1.0}])
def test_impossible_settings_are_refused(settings):
    with pytest.raises(ValueError, match=f"`{next(iter(settings))}`"):
        AWDLSTMConfig(**settings)
