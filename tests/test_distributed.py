"""Two processes (gloo, CPU): different outliers, the weights and figures of one process, exact resume."""

import pytest
import torch

from .ranks import reports_of_two_ranks
from .tiny import tiny_trainer, weights
from .two_processes import OUTLIERS


@pytest.fixture(scope="module")
def ranks(tmp_path_factory):
    return reports_of_two_ranks("tests.two_processes", tmp_path_factory.mktemp("two_processes"))


@pytest.fixture(params=sorted(OUTLIERS))
def reports(ranks, request):
    return [rank[request.param] for rank in ranks]


def test_there_are_two_processes(reports):
    assert [report["world_size"] for report in reports] == [2, 2]


def test_every_rank_sees_different_outliers_and_none_twice(reports):
    rows = torch.cat([report["seen"] for report in reports])
    assert len(rows) == 2 * 3 * 2 * 6  # epochs, steps, ranks, outliers a batch
    assert len(rows.unique(dim=0)) == len(rows)


def test_weights_equal_a_single_process_with_the_same_global_batches(ranks, tmp_path):
    single = tiny_trainer(
        tmp_path,
        OUTLIERS["map-style"](),
        dropout=0.0,
        noise=0.0,
        num_train_epochs=2,
        per_device_train_batch_size=8,
        outlier_batch_size=12,
        score=["msp", "knn", "vim"],
    )
    single.train()
    metrics = single.evaluate()
    for rank in ranks:
        for name, value in weights(single).items():
            torch.testing.assert_close(rank["map-style"]["weights"][name], value, rtol=1e-5, atol=1e-6)
        for name, value in rank["map-style"]["metrics"].items():
            assert metrics[name] == pytest.approx(value, abs=1e-6)


def test_killed_and_resumed_gives_bit_identical_weights(reports):
    for report in reports:
        for name, value in report["whole"].items():
            torch.testing.assert_close(report["resumed"][name], value, rtol=0, atol=0)
