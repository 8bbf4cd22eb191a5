"""Figures: complete small files that say what they show, and clear errors."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from hf_oe.report import (
    load_run,
    plot_bars,
    plot_heat_maps,
    plot_histograms,
    plot_precision_recall,
    plot_reliability,
    plot_roc,
)

pytest.importorskip("matplotlib", reason="matplotlib is not installed: pip install 'hf_oe[plots]'")


@pytest.fixture
def scores():
    rng = np.random.default_rng(0)
    names = ["in_distribution", "gaussian", "letters"]
    return {
        stage: {name: rng.normal(shift * place, 1, 20_000).astype(np.float32) for place, name in enumerate(names)}
        for stage, shift in (("baseline", 0.2), ("oe", 1.0))
    }


plots = pytest.mark.parametrize("plot", [plot_roc, plot_precision_recall, plot_histograms])


@plots
@pytest.mark.parametrize(("suffix", "start"), [(".png", b"\x89PNG"), (".svg", b"<?xml")])
def test_plots_are_small_files_of_the_named_kind(plot, suffix, start, scores, tmp_path):
    path = tmp_path / f"figure{suffix}"
    plot(scores, path)
    assert path.read_bytes().startswith(start)
    assert path.stat().st_size < 400_000
    assert list(tmp_path.iterdir()) == [path]


@plots
def test_panels_name_corpus_area_and_stages(plot, scores, tmp_path):
    scores = {"baseline": {"in_distribution": [0, 1], "dots": [0, 1]}, "oe": {"in_distribution": [0], "dots": [1]}}
    plot(scores, tmp_path / "figure.svg")
    text = (tmp_path / "figure.svg").read_text(encoding="utf-8")
    assert "dots" in text and ("AUROC 50.0 → 100.0" in text or "AUPR 16.7 → 100.0" in text)
    assert ">baseline<" in text and ">OE<" in text


def test_histograms_take_infinite_and_constant_scores(scores, tmp_path):
    scores["oe"]["gaussian"][:5] = np.inf
    plot_histograms(scores, tmp_path / "infinite.png")
    plot_histograms({"oe": {"in_distribution": np.zeros(9), "dots": np.zeros(9)}}, tmp_path / "constant.png")
    assert {path.name for path in tmp_path.iterdir()} == {"infinite.png", "constant.png"}


@plots
def test_a_plot_that_fails_leaves_the_old_file_as_it_was(plot, scores, tmp_path, monkeypatch):
    import matplotlib.figure

    def fail(self, file, **kwargs):
        file.write_bytes(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(matplotlib.figure.Figure, "savefig", fail)
    (tmp_path / "figure.png").write_bytes(b"old")
    with pytest.raises(OSError, match="No space"):
        plot(scores, tmp_path / "figure.png")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]


@plots
def test_other_file_types_are_refused(plot, scores, tmp_path):
    with pytest.raises(ValueError, match=r"`path` must end in \.png or \.svg, got '.*figure\.bmp'"):
        plot(scores, tmp_path / "figure.bmp")


@plots
def test_missing_matplotlib_names_the_extra(plot, scores, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"hf_oe\[plots\]"):
        plot(scores, tmp_path / "figure.png")


def test_precision_recall_is_stated_at_the_base_rate(tmp_path):
    scores = {"oe": {"in_distribution": [0, 1], "dots": [1]}}
    plot_precision_recall(scores, tmp_path / "figure.svg", base_rate=1.0)
    assert "AUPR 66.7" in (tmp_path / "figure.svg").read_text(encoding="utf-8")


def test_reliability_weights_few_anomalies_up_to_as_many_as_test_examples(tmp_path):
    # Two right test examples at 0.5 and one anomaly at 0.5, which counts twice: accuracy is 0.5, too.
    confidence = {"oe": {"in_distribution": np.full(2, 0.5), "dots": np.full(1, 0.5)}}
    plot_reliability(confidence, {"oe": np.ones(2, bool)}, tmp_path / "figure.svg")
    assert "RMS error 0.0" in (tmp_path / "figure.svg").read_text(encoding="utf-8")


def test_bars_show_every_corpus_but_error_detection(run_folder, tmp_path):
    plot_bars(load_run(run_folder).results, tmp_path / "bars.svg")
    text = (tmp_path / "bars.svg").read_text(encoding="utf-8")
    assert "noise" in text and "a/b &lt;c&gt; $x$" in text and "FPR95" in text and "error_detection" not in text


@pytest.mark.parametrize("channels", [1, 3])
def test_heat_maps_stand_below_their_images_on_one_scale(channels, tmp_path):
    images = np.zeros((2, channels, 8, 8), np.uint8)
    maps = np.stack([np.zeros((8, 8)), np.full((8, 8), 5.0)])
    plot_heat_maps(images, maps, tmp_path / "maps.svg", titles=["cifar10", "svhn"])
    text = (tmp_path / "maps.svg").read_text(encoding="utf-8")
    assert "cifar10" in text and "svhn" in text and "bits per pixel" in text
    assert text.count("<image") == 5  # two images, two maps, the scale


@pytest.mark.parametrize(
    ("images", "maps", "titles", "message"),
    [
        ((2, 3, 8, 8), (2, 8, 9), (), r"got \(2, 3, 8, 8\) and \(2, 8, 9\)"),
        ((2, 8, 8, 3), (2, 8, 8), (), "channels, height, width"),
        ((0, 3, 8, 8), (0, 8, 8), (), "channels, height, width"),
        ((2, 3, 8, 8), (2, 8, 8), ("one",), "`titles` must be as many as the 2 images, got 1"),
    ],
)
def test_heat_maps_of_other_shapes_are_refused(images, maps, titles, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        plot_heat_maps(np.zeros(images, np.uint8), np.zeros(maps), tmp_path / "maps.png", titles)
