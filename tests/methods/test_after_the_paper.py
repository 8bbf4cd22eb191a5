"""Methods that came after the paper, each against a naive computation on a small network."""

import pytest
import torch
from torch import nn

from hf_oe.features import captured_features, classifier_head
from hf_oe.methods import divoe as divoe_module
from hf_oe.methods import method_of, mixoe, vos
from hf_oe.methods.dal import dal
from hf_oe.methods.divoe import divoe
from hf_oe.methods.energy_bounded import energy_bounded
from hf_oe.methods.ntom import ntom
from hf_oe.methods.poem import poem
from hf_oe.objectives import to_uniform, uniform

from ..tiny import CLASSES, SIZE, tiny_model

EXAMPLES, OUTLIERS = 3, 8
LABELS = torch.tensor([2, 0, 1] + [-100] * OUTLIERS)
IS_OUTLIER = torch.arange(EXAMPLES + OUTLIERS) >= EXAMPLES


@pytest.fixture
def pixel_values():
    return torch.randn(EXAMPLES + OUTLIERS, SIZE, generator=torch.Generator().manual_seed(1))


def forward(model, pixel_values):
    with captured_features(model) as features:
        outputs = model(pixel_values)
    return outputs, {"features": features[-1], "head": classifier_head(model)}


def prepared(objective):
    return method_of(objective).prepare(tiny_model(dropout=0.0))


def test_ntom_trains_on_outliers_after_the_hardest():
    generator = torch.Generator().manual_seed(0)
    outputs = {
        "logits": torch.randn(len(LABELS), CLASSES, generator=generator),
        "branch_logits": torch.randn(len(LABELS), generator=generator),
    }
    parts = ntom(outputs, LABELS, IS_OUTLIER, keep=0.25, skip=0.125)
    logits = torch.cat([outputs["logits"], outputs["branch_logits"][:, None]], dim=1)
    rejection = logits.softmax(dim=-1)[EXAMPLES:, -1].sort().values
    torch.testing.assert_close(parts["outlier"], -rejection[1:3].log().mean())


def test_poem_draws_a_boundary_and_trains_on_the_outliers_near_it(pixel_values):
    model = prepared("poem")
    outputs, seen = forward(model, pixel_values)
    features = seen["features"].detach()
    model.poem_scatter += features.T @ features
    model.poem_moment += features.sum(dim=0)
    before = model.poem_scatter.clone(), model.poem_moment.clone()
    torch.manual_seed(3)
    parts = poem(outputs, LABELS, IS_OUTLIER, model=model, features=seen["features"], margin_out=5.0, decay=0.9)

    torch.manual_seed(3)
    precision = before[0] / 0.5 + torch.eye(16) / 20
    mean = precision.inverse() @ before[1] / 0.5
    w = mean + torch.linalg.cholesky(precision).T.inverse() @ torch.randn(16, 1)[:, 0]
    near = (features[EXAMPLES:] @ w).abs().argsort()[:2] + EXAMPLES
    chosen = torch.zeros(len(LABELS), dtype=torch.bool).index_fill(0, near, True)
    expected = energy_bounded(outputs, LABELS, chosen, margin_out=5.0)["outlier"]
    torch.testing.assert_close(parts["outlier"], expected)
    used = torch.cat([features[:EXAMPLES], features[near]])
    targets = torch.tensor([-3.0] * EXAMPLES + [3.0] * 2)
    torch.testing.assert_close(model.poem_scatter, 0.9 * before[0] + used.T @ used)
    torch.testing.assert_close(model.poem_moment, 0.9 * before[1] + used.T @ targets)


def test_mixoe_mixes_each_outlier_with_an_example_and_its_label_with_uniform(pixel_values):
    model = tiny_model(dropout=0.0)
    context = {"model": model, "inputs": {"pixel_values": pixel_values}}
    torch.manual_seed(5)
    parts = mixoe.mixoe(model(pixel_values), LABELS, IS_OUTLIER, weight=2.0, alpha=0.7, **context)
    torch.manual_seed(5)
    share = torch.distributions.Beta(0.7, 0.7).sample()
    total = 0.0
    for number in range(OUTLIERS):
        partner = number % EXAMPLES
        mixed = share * pixel_values[partner] + (1 - share) * pixel_values[EXAMPLES + number]
        target = (1 - share) * torch.full((CLASSES,), 1 / CLASSES)
        target[LABELS[partner]] += share
        total += -(target * model(mixed[None]).logits[0].log_softmax(-1)).sum()
    torch.testing.assert_close(parts["outlier"], 2.0 * total / OUTLIERS)


def test_cutmix_puts_a_box_of_the_outlier_into_the_example():
    examples, outliers = torch.zeros(2, 3, 8, 10), torch.ones(2, 3, 8, 10)
    for seed in range(5):
        torch.manual_seed(seed)
        mixed, share = mixoe._cutmix(examples, outliers, torch.tensor(0.6))
        assert share.item() == pytest.approx(1 - mixed.mean().item())
        rows, columns = mixed[0, 0].amax(dim=1), mixed[0, 0].amax(dim=0)
        torch.testing.assert_close(mixed[0, 0], rows[:, None] * columns)
        assert 0.5 < share < 1


@pytest.mark.parametrize("mix", ["cubic", "linear"])
def test_mixoe_refuses_what_cannot_be_mixed(mix, pixel_values):
    inputs = {"pixel_values": pixel_values if mix == "cubic" else pixel_values.long()}
    outputs = {"logits": torch.zeros(len(LABELS), CLASSES)}
    with pytest.raises(ValueError, match="mixes float inputs with `mix` one of linear, cutmix"):
        mixoe.mixoe(outputs, LABELS, IS_OUTLIER, model=tiny_model(), inputs=inputs, mix=mix)


def test_vos_keeps_the_moments_of_the_classes_features():
    model = prepared("vos")
    generator = torch.Generator().manual_seed(0)
    means = torch.randn(CLASSES, 16, generator=generator)
    for _ in range(200):
        labels = torch.arange(30) % CLASSES
        features = means[labels] + 0.3 * torch.randn(30, 16, generator=generator)
        vos._update(model, features, labels, torch.zeros(30, dtype=torch.bool), queue=200)
    torch.testing.assert_close(vos._means(model), means, atol=0.1, rtol=0)
    covariance = model.vos_scatter / model.vos_count.sum()
    torch.testing.assert_close(covariance, 0.09 * torch.eye(16), atol=0.05, rtol=0)
    assert model.vos_count.tolist() == pytest.approx([200.0] * CLASSES, rel=0.1)

    virtual = vos._virtual_outliers(model, candidates=1000)
    distance = (virtual - means).norm(dim=-1) / 0.3
    usual = torch.randn(1000, 16, generator=generator).norm(dim=-1)
    assert (distance > usual.quantile(0.95)).all()


def test_vos_tells_examples_from_virtual_outliers_once_enough_has_been_seen(pixel_values):
    model = prepared("vos")
    settings = {"model": model, "queue": 4, "candidates": 5}
    outputs, seen = forward(model, pixel_values)
    for _ in range(2):
        assert vos.vos(outputs, LABELS, IS_OUTLIER, **settings, **seen)["virtual"] == 0
    parts = vos.vos(outputs, LABELS, IS_OUTLIER, **settings, **seen)
    energy = -outputs.logits.logsumexp(dim=-1)[:, None]
    logit = model.vos_logistic(energy)[:, 0]
    torch.testing.assert_close(parts["energy"], -0.1 * (1 - logit[:EXAMPLES].sigmoid()).log().mean())
    torch.testing.assert_close(parts["outlier"], -0.1 * logit[EXAMPLES:].sigmoid().log().mean())
    assert parts["virtual"] > 0
    count = model.vos_count.clone()
    assert set(vos.vos(outputs, LABELS, IS_OUTLIER, **{**settings, "model": model.eval()}, **seen)) == {
        "in_distribution",
        "outlier",
    }
    torch.testing.assert_close(model.vos_count, count)


def test_divoe_moves_outliers_to_where_the_loss_is_larger_but_not_far(pixel_values, monkeypatch):
    model = tiny_model(dropout=0.5)
    outputs = model(pixel_values)
    batches = []
    original = model.forward

    def watched(pixel_values):
        batches.append((pixel_values, model.training, model.layers[2].training))
        return original(pixel_values)

    monkeypatch.setattr(model, "forward", watched)
    context = {"model": model, "inputs": {"pixel_values": pixel_values}}
    parts = divoe(outputs, LABELS, IS_OUTLIER, epsilon=0.2, ratio=1.0, **context)
    assert [mode for _, *mode in batches] == [[False, False]] * 5 + [[True, True]]
    moved = batches[-1][0]
    assert 0 < (moved - pixel_values)[EXAMPLES:].abs().max() <= 0.2 + 1e-6
    assert (moved - pixel_values)[:EXAMPLES].abs().max() == 0
    model.eval()
    before, after = (to_uniform(original(values).logits)[EXAMPLES:].mean() for values in (pixel_values, moved))
    assert after > before
    assert parts["outlier"].requires_grad


def test_divoe_with_no_share_extrapolated_is_plain_exposure(pixel_values):
    model = tiny_model(dropout=0.0)
    outputs = model(pixel_values)
    context = {"model": model, "inputs": {"pixel_values": pixel_values}}
    parts = divoe(outputs, LABELS, IS_OUTLIER, ratio=0.0, **context)
    torch.testing.assert_close(parts, uniform(outputs, LABELS, IS_OUTLIER))


def test_evaluation_mode_is_left_as_it_was():
    model = nn.Sequential(nn.Dropout(), nn.BatchNorm1d(2))
    model[1].eval()
    with divoe_module._evaluation_mode(model):
        assert not any(module.training for module in model.modules())
    assert model.training and model[0].training and not model[1].training


def test_dal_takes_normalised_steps_up_the_loss_and_pays_for_distance(pixel_values):
    model = prepared("dal")
    model.dal_price.fill_(2.0)
    outputs, seen = forward(model, pixel_values)
    torch.manual_seed(11)
    parts = dal(outputs, LABELS, IS_OUTLIER, model=model, steps=1, step=0.5, radius=0.3, price_rate=0.1, **seen)

    torch.manual_seed(11)
    features = seen["features"].detach()
    shift = (1e-4 * torch.rand_like(features)).requires_grad_(True)
    distance = shift.abs().mean(dim=-1)
    (to_uniform(seen["head"](features + shift)) - 2.0 * distance).sum().backward()
    step = 0.5 * shift.grad / shift.grad.norm(dim=-1, keepdim=True)
    worst = to_uniform(seen["head"](features + shift.detach() + step))
    torch.testing.assert_close(parts["outlier"], 0.5 * worst[EXAMPLES:].mean())
    expected = 2.0 + 0.1 * (distance[EXAMPLES:].mean().item() - 0.3)
    assert model.dal_price.item() == pytest.approx(expected, rel=1e-5)


def test_dal_is_harder_than_plain_exposure(pixel_values):
    model = prepared("dal")
    model.dal_price.fill_(0.0)
    outputs, seen = forward(model, pixel_values)
    parts = dal(outputs, LABELS, IS_OUTLIER, model=model, **seen)
    assert parts["outlier"] > uniform(outputs, LABELS, IS_OUTLIER)["outlier"]
    sum(parts.values()).backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
