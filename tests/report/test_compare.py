"""Runs side by side: grouped by settings, with deviation over seeds and over draws apart."""

import numpy as np
import pytest

from hf_oe.report import load_run
from hf_oe.report.compare import group_runs

from .runs import write_run


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compared")
    places = {"first": (0, 0.5), "second": (1, 0.5), "light": (0, 0.1), "third": (2, 0.5)}
    return [load_run(write_run(folder / name, seed, outlier_weight=weight)) for name, (seed, weight) in places.items()]


def test_runs_that_differ_by_their_seed_only_are_one_group(runs):
    heavy, light = group_runs(runs)
    assert [run.folder.name for run in heavy.runs] == ["first", "second", "third"] and heavy.seeds == [0, 1, 2]
    assert heavy.name == "outlier_weight 0.5" and light.name == "outlier_weight 0.1"


def test_deviation_over_seeds_is_apart_from_that_over_draws(runs):
    group, light = group_runs(runs)

    def row(run):
        wanted = ("oe", "msp", "noise")
        return next(row for row in run.results["rows"] if (row["stage"], row["score"], row["corpus"]) == wanted)

    rows = [row(run) for run in group.runs]
    figure = group.figure("oe", "noise", "auroc")
    assert figure.mean == pytest.approx(np.mean([row["auroc"] for row in rows]))
    assert figure.over_seeds == pytest.approx(np.std([row["auroc"] for row in rows], ddof=1))
    assert figure.over_draws == pytest.approx(np.mean([row["auroc_std"] for row in rows]))
    assert light.figure("oe", "noise", "auroc").over_seeds is None
    assert group.figure("oe", "mean", "fpr").over_draws is None
    assert group.figure("oe", "unknown", "fpr") is None
    errors = [run.results["test_error"]["oe"] for run in group.runs]
    assert group.test_error("oe").over_seeds == pytest.approx(np.std(errors, ddof=1))


def test_runs_that_say_nothing_of_their_settings_stay_apart(runs):
    for run in (silent := [load_run(run.folder) for run in runs[:2]]):
        del run.results["settings"]
    assert [group.name for group in group_runs(silent)] == ["first", "second"]


def test_a_single_group_is_named_by_its_folders(runs):
    (group,) = group_runs(runs[:2])
    assert group.name == "first, second"
