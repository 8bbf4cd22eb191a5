"""The margin objective: pairs, units, unequal halves and gradients."""

import pytest
import torch

from hf_oe.objectives import OBJECTIVES


def outputs(log_likelihoods):
    values = torch.tensor(log_likelihoods, requires_grad=True)
    return {"log_likelihood": values, "per_pixel": torch.zeros(len(log_likelihoods), 2, 5)}


def parts(log_likelihoods, is_outlier, **settings):
    objective = OBJECTIVES["margin"](outputs(log_likelihoods), None, torch.tensor(is_outlier), weight=1.0, **settings)
    return {name: value.item() for name, value in objective.items()}


def test_each_outlier_must_be_a_nat_a_pixel_less_likely_than_its_partner():
    # Of 10 pixels: the first pair is a margin of 4 nats apart, the second further than 10.
    actual = parts([-20.0, -10.0, -24.0, -50.0], [False, False, True, True])
    assert actual["in_distribution"] == pytest.approx((20 + 10) / 2 / 10)
    assert actual["outlier"] == pytest.approx((10 - 4) / 2 / 10)


@pytest.mark.parametrize(("margin", "hinge"), [(0.0, 0.0), (0.4, 0.0), (2.0, 1.6)])
def test_margin_is_an_own_setting_in_nats_a_pixel(margin, hinge):
    assert parts([-20.0, -24.0], [False, True], margin_per_pixel=margin)["outlier"] == pytest.approx(hinge)


def test_examples_take_turns_where_outliers_are_more():
    actual = parts([-20.0, -10.0, -20.0, -10.0, -20.0], [False, False, True, True, True])
    assert actual["outlier"] == pytest.approx((10 + 10 + 10) / 3 / 10)


def test_examples_without_a_partner_count_in_their_own_part_only():
    actual = parts([-20.0, -10.0, -20.0], [False, False, True])
    assert actual["outlier"] == pytest.approx(1.0) and actual["in_distribution"] == pytest.approx(1.5)


def test_a_satisfied_pair_has_no_gradient_but_that_of_the_likelihood():
    given = outputs([-20.0, -90.0])
    sum(OBJECTIVES["margin"](given, None, torch.tensor([False, True])).values()).backward()
    assert given["log_likelihood"].grad.tolist() == pytest.approx([-0.1, 0.0])


def test_weight_is_of_the_outlier_part():
    given = outputs([-20.0, -20.0]), None, torch.tensor([False, True])
    whole, half = (OBJECTIVES["margin"](*given, weight=weight) for weight in (1.0, 0.5))
    assert half["outlier"] == whole["outlier"] / 2 and half["in_distribution"] == whole["in_distribution"]
