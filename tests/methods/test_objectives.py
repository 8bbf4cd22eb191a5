"""The methods' objectives and scores against naive formulas."""

import math

import pytest
import torch
import torch.nn.functional as F

from hf_oe.methods.confidence_branch import confidence_branch, doubt
from hf_oe.methods.energy_bounded import energy_bounded
from hf_oe.methods.hard_outliers import hard_outliers, hardest
from hf_oe.methods.multilabel import multilabel, no_label
from hf_oe.methods.reject import reject, reject_probability

LABELS = [2, 0, 1]
EXAMPLES, OUTLIERS, CLASSES = 3, 5, 4


def batch():
    generator = torch.Generator().manual_seed(0)
    outputs = {
        "logits": 2 * torch.randn(EXAMPLES + OUTLIERS, CLASSES, generator=generator, dtype=torch.float64),
        "branch_logits": torch.randn(EXAMPLES + OUTLIERS, generator=generator, dtype=torch.float64),
    }
    labels = torch.tensor(LABELS + [-100] * OUTLIERS)
    return outputs, labels, torch.arange(EXAMPLES + OUTLIERS) >= EXAMPLES


def mean(values):
    return sum(values) / len(values)


class Branched(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("confidence_weight", torch.tensor(0.1))


def naive_confidence(outputs, hints):
    terms = []
    for row, label in enumerate(LABELS):
        p = outputs["logits"][row].softmax(-1)[label].item()
        c = outputs["branch_logits"][row].sigmoid().item() if hints[row] else 1.0
        terms.append(-math.log(c * p + 1 - c))
    return mean(terms)


def test_confidence_branch_is_the_papers_formula_and_adapts_lambda():
    outputs, labels, is_outlier = batch()
    model = Branched()
    confidence = outputs["branch_logits"].sigmoid()
    torch.manual_seed(7)
    parts = confidence_branch(outputs, labels, is_outlier, model=model)
    torch.manual_seed(7)
    hints = torch.rand(EXAMPLES + OUTLIERS) < 0.5
    assert 0 < hints[:EXAMPLES].sum() < EXAMPLES
    asked = mean([-math.log(c) for c in confidence[:EXAMPLES].tolist()])
    assert parts["in_distribution"].item() == pytest.approx(naive_confidence(outputs, hints), rel=1e-5)
    assert parts["confidence"].item() == pytest.approx(0.1 * asked, rel=1e-5)
    assert parts["outlier"].item() == pytest.approx(
        0.5 * mean([math.log(c) for c in confidence[EXAMPLES:].tolist()]), rel=1e-5
    )
    assert asked > 0.3 and model.confidence_weight.item() == pytest.approx(0.1 / 0.99)
    sure = {**outputs, "branch_logits": torch.full_like(outputs["branch_logits"], 5.0)}
    confidence_branch(sure, labels, is_outlier, model=model)
    assert model.confidence_weight.item() == pytest.approx(0.1 / 0.99 / 1.01)


def test_confidence_branch_neither_draws_nor_adapts_in_evaluation():
    outputs, labels, is_outlier = batch()
    model = Branched().eval()
    parts = confidence_branch(outputs, labels, is_outlier, model=model)
    assert parts["in_distribution"].item() == pytest.approx(naive_confidence(outputs, [True] * EXAMPLES), rel=1e-5)
    assert model.confidence_weight.item() == pytest.approx(0.1)


def test_reject_is_the_cross_entropy_with_one_more_class():
    outputs, labels, is_outlier = batch()
    parts = reject(outputs, labels, is_outlier, weight=0.7)
    logits = torch.cat([outputs["logits"], outputs["branch_logits"][:, None]], dim=1)
    expected = F.cross_entropy(logits[:EXAMPLES], torch.tensor(LABELS))
    torch.testing.assert_close(parts["in_distribution"], expected)
    expected = 0.7 * F.cross_entropy(logits[EXAMPLES:], torch.full((OUTLIERS,), CLASSES))
    torch.testing.assert_close(parts["outlier"], expected)
    torch.testing.assert_close(reject_probability(**{**outputs}), logits.softmax(dim=-1)[:, -1])


def test_multilabel_is_the_binary_cross_entropy_of_every_class():
    outputs, labels, is_outlier = batch()
    parts = multilabel(outputs, labels, is_outlier, weight=0.5)

    def naive(row, label):
        p = outputs["logits"][row].sigmoid().tolist()
        return sum(-math.log(p[c] if c == label else 1 - p[c]) for c in range(CLASSES))

    expected = mean([naive(row, label) for row, label in enumerate(LABELS)])
    assert parts["in_distribution"].item() == pytest.approx(expected, rel=1e-5)
    expected = 0.5 * mean([naive(row, None) for row in range(EXAMPLES, EXAMPLES + OUTLIERS)])
    assert parts["outlier"].item() == pytest.approx(expected, rel=1e-5)


def test_energy_bounded_is_two_squared_hinges():
    outputs, labels, is_outlier = batch()
    parts = energy_bounded(outputs, labels, is_outlier, weight=0.1, margin_in=-3.5, margin_out=-2.5)
    energy = [-math.log(sum(map(math.exp, row))) for row in outputs["logits"].tolist()]
    hinges = [max(0, value + 3.5) ** 2 for value in energy[:EXAMPLES]]
    assert 0 < sum(hinge > 0 for hinge in hinges) and parts["energy"].item() == pytest.approx(0.1 * mean(hinges))
    hinges = [max(0, -2.5 - value) ** 2 for value in energy[EXAMPLES:]]
    assert 0 < sum(hinge > 0 for hinge in hinges) < OUTLIERS
    assert parts["outlier"].item() == pytest.approx(0.1 * mean(hinges), rel=1e-5)


@pytest.mark.parametrize(
    ("keep", "skip", "expected"), [(1.0, 0.0, [5, 9, 1, 7, 3]), (0.4, 0.0, [9, 7]), (0.4, 0.2, [7, 5]), (0.1, 0, [9])]
)
def test_hardest_keeps_a_share_of_the_outliers_after_the_skipped(keep, skip, expected):
    difficulty = torch.tensor([8.0, 5.0, 9.0, 6.0, 1.0, 7.0, 3.0])
    is_outlier = torch.tensor([False, True, True, False, True, True, True])
    assert sorted(difficulty[hardest(difficulty, is_outlier, keep, skip)].tolist()) == sorted(expected)


def test_hard_outliers_counts_only_those_whose_part_is_largest():
    outputs, labels, is_outlier = batch()
    parts = hard_outliers(outputs, labels, is_outlier, weight=0.5, keep=0.4)
    to_uniform = sorted((-outputs["logits"][EXAMPLES:].log_softmax(-1).mean(-1)).tolist())
    assert parts["outlier"].item() == pytest.approx(0.5 * mean(to_uniform[-2:]))


@pytest.mark.parametrize(("keep", "skip"), [(0, 0), (0.9, 0.2), (0.5, -0.1)])
def test_shares_that_cannot_be_are_refused(keep, skip):
    with pytest.raises(ValueError, match="`keep` and `skip` must be shares"):
        hardest(torch.zeros(3), torch.ones(3, dtype=torch.bool), keep, skip)


def test_scores_order_sure_examples_that_float32_probabilities_cannot():
    sure, surer = torch.tensor([[40.0, 0.0]]), torch.tensor([[45.0, 0.0]])
    branch = torch.tensor([0.0])
    assert no_label(sure) > no_label(surer)
    assert reject_probability(sure, branch_logits=branch) > reject_probability(surer, branch_logits=branch)
    assert doubt(sure, branch_logits=torch.tensor([40.0])) > doubt(sure, branch_logits=torch.tensor([45.0]))


@pytest.mark.parametrize("objective", [confidence_branch, reject, multilabel, energy_bounded, hard_outliers])
@pytest.mark.parametrize("half", [slice(0, EXAMPLES), slice(EXAMPLES, None)], ids=["no outliers", "only outliers"])
def test_an_empty_half_and_extreme_logits_have_finite_gradients(objective, half):
    outputs, labels, is_outlier = batch()
    outputs = {name: (1e3 * value[half]).float().requires_grad_(True) for name, value in outputs.items()}
    model = {"model": Branched()} if objective is confidence_branch else {}
    sum(objective(outputs, labels[half], is_outlier[half], **model).values()).backward()
    assert all(value.grad is None or torch.isfinite(value.grad).all() for value in outputs.values())
