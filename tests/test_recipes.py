"""Every recipe end to end in its smallest form, as a user starts it, on images that the test makes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import datasets
import numpy as np
import pytest
import yaml
from PIL import Image

ROOT = Path(__file__).parents[1]


def write_images(path, count, size, labels):
    generator = np.random.default_rng(0)
    images = [Image.fromarray(generator.integers(0, 256, (size, size, 3), dtype=np.uint8)) for _ in range(count)]
    features = datasets.Features({"image": datasets.Image(), "label": datasets.Value("int64")})
    columns = {"image": images, "label": [index % labels for index in range(count)]}
    path.parent.mkdir(parents=True, exist_ok=True)
    datasets.Dataset.from_dict(columns, features=features).to_parquet(path)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    sets = {
        "mnist": (28, 10),
        "svhn": (32, 10),
        "cifar10": (32, 10),
        "cifar100": (32, 100),
        "tiny_imagenet": (64, 200),
    }
    for name, (size, labels) in sets.items():
        for split in ("train", "test", "valid", "extra"):
            write_images(folder / name / f"{split}.parquet", 12, size, labels)
    write_images(folder / "my_outliers" / "train.parquet", 20, 40, 1)
    write_images(folder / "my_anomalies" / "test.parquet", 6, 32, 1)
    return folder


def write_texts(path, texts, **columns):
    path.parent.mkdir(parents=True, exist_ok=True)
    datasets.Dataset.from_dict({"text": texts, **columns}).to_parquet(path)


def launch(recipe, *arguments, tmp_path):
    return subprocess.run(
        [sys.executable, "-m", "accelerate.commands.launch", f"recipes/{recipe}.py", *map(str, arguments)],
        cwd=ROOT,
        env={
            **os.environ,
            "HF_HUB_OFFLINE": "1",
            "HF_DATASETS_CACHE": str(tmp_path / "cache"),
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": str(ROOT),
        },
        capture_output=True,
        text=True,
        timeout=300,
    )


def check_outputs(folder, corpora, stages=("baseline", "oe")):
    results = json.loads((folder / "ood_results.json").read_text())
    assert {row["stage"] for row in results["rows"]} == set(stages)
    assert {row["corpus"] for row in results["rows"]} - {"error_detection"} == corpora
    for row in [*results["rows"], *results["mean"]]:
        assert all(0 <= row[metric] <= 1 for metric in ("fpr", "auroc", "aupr"))
    assert set(results["test_error"]) == set(results["train_seconds"]) == set(stages)
    card = (folder / "README.md").read_text()
    assert card.startswith("---\n") and "model-index" in card and "## Limits" in card
    figures = ("roc.png", "precision_recall.png", "histograms.png", "bars.png")
    saved = ("ood_scores.npz", "ood_examples.npz", "report.html", "ood_results.csv", "README.md")
    for name in ("config.json", "model.safetensors", *figures, *saved):
        assert (folder / name).stat().st_size > 0
    return results


CONTEXT = {"msp": {"baseline", "oe"}, "energy": {"baseline"}, "knn": {"baseline"}}
SMALL = ["--max_steps", "2", "--per_device_train_batch_size", "4", "--per_device_eval_batch_size", "8"]


@pytest.mark.parametrize("recipe", ["mnist_oe", "svhn_oe", "cifar10_oe", "cifar100_oe", "tiny_imagenet_oe"])
def test_recipe(recipe, data_dir, tmp_path):
    architecture = [] if recipe == "mnist_oe" else ["--architecture", "wrn_16_1"]
    sources = ["--outliers", "my_outliers", "--ood_corpora", "my_anomalies", "gaussian"]
    places = ["--data_dir", data_dir, "--output_dir", tmp_path / "run"]
    arguments = [*sources, "--near", "my_anomalies", *SMALL, *architecture]
    run = launch(recipe, *places, *arguments, tmp_path=tmp_path)
    assert run.returncode == 0, run.stderr[-3000:]
    assert "| **Mean**" in run.stdout and "| Mean of near: my_anomalies" in run.stdout
    results = check_outputs(tmp_path / "run", {"my_anomalies", "gaussian"})
    stages = {score: {row["stage"] for row in results["rows"] if row["score"] == score} for score in CONTEXT}
    assert stages == CONTEXT and "Score: `knn`, baseline only" in run.stdout
    assert {(mean["group"], *mean["corpora"]) for mean in results["group_mean"]} == {
        ("near", "my_anomalies"),
        ("far", "gaussian"),
    }


def test_gan_recipe(data_dir, tmp_path):
    sources = ["--outliers", "my_outliers", "--ood_corpora", "my_anomalies"]
    places = ["--data_dir", data_dir, "--output_dir", tmp_path / "run"]
    small = [*SMALL, "--in_distribution", "mnist", "--gan_channels", "2"]
    run = launch("gan_oe", *places, *sources, *small, tmp_path=tmp_path)
    assert run.returncode == 0, run.stderr[-3000:]
    assert "GAN → OE" in run.stdout
    check_outputs(tmp_path / "run", {"my_anomalies"}, stages=("gan", "oe"))
    assert (tmp_path / "run" / "gan" / "generator" / "model.safetensors").exists()


def test_text_recipe(tmp_path):
    for split in ("train", "test"):
        reviews = ["a bad film", "poor", "so so", "good", "a great film"] * 3
        write_texts(tmp_path / "data" / "sst" / f"{split}.parquet", reviews, label=[0, 1, 2, 3, 4] * 3)
    write_texts(
        tmp_path / "data" / "wikitext2" / "train.parquet", ["= Sea =", "The sea was calm . Ships went by ."] * 9
    )
    write_texts(tmp_path / "data" / "snli" / "test.parquet", ["a long premise"] * 4, hypothesis=["it rains"] * 4)
    places = ["--data_dir", tmp_path / "data", "--output_dir", tmp_path / "run", "--in_distribution", "sst"]
    run = launch("text_oe", *places, "--ood_corpora", "snli", *SMALL, tmp_path=tmp_path)
    assert run.returncode == 0, run.stderr[-3000:]
    assert "74.9 → 27.3" in run.stdout and "with WikiText-2; the mean is over SNLI, IMDB, " in run.stdout
    results = check_outputs(tmp_path / "run", {"snli"})
    assert results["recall_level"] == 0.9
    assert (tmp_path / "run" / "tokenizer.json").exists()


def test_density_recipe(data_dir, tmp_path):
    size = ["--image_size", "8", "--filters", "4", "--blocks", "1", "--mixtures", "2"]
    sources = ["--outliers", "my_outliers", "--ood_corpora", "my_anomalies", "gaussian"]
    places = ["--data_dir", data_dir, "--output_dir", tmp_path / "run"]
    run = launch("pixelcnn_oe", *places, *sources, *SMALL, *size, tmp_path=tmp_path)
    assert run.returncode == 0, run.stderr[-3000:]
    assert "0.0 → 0.0" in run.stdout and "Bits/dim, oe: in_distribution" in run.stdout
    results = check_outputs(tmp_path / "run", {"my_anomalies", "gaussian"})
    assert {row["score"] for row in results["rows"]} == {"bits_per_dim", "input_complexity"}
    assert set(results["bits_per_dim"]) == {"baseline", "oe"}
    assert (tmp_path / "run" / "heat_maps.png").stat().st_size > 0
    arguments = ["--background", tmp_path / "run", "--baseline", tmp_path / "run" / "baseline"]
    places[-1] = tmp_path / "second"
    again = launch("pixelcnn_oe", *places, *sources, *SMALL, *size, *arguments, tmp_path=tmp_path)
    assert again.returncode == 0, again.stderr[-3000:]
    second = check_outputs(tmp_path / "second", {"my_anomalies", "gaussian"})
    assert "likelihood_ratio" in {row["score"] for row in second["rows"]}
    assert second["bits_per_dim"]["baseline"] == pytest.approx(results["bits_per_dim"]["baseline"], rel=1e-4)


@pytest.mark.parametrize("objective", ["confidence_branch", "multilabel", "reject"])
def test_a_method_that_changes_network_or_baseline(objective, data_dir, tmp_path):
    arguments = ["--data_dir", data_dir, "--output_dir", tmp_path / "run", "--objective", objective, *SMALL]
    arguments += ["--outliers", "my_outliers", "--ood_corpora", "my_anomalies", "--hold_out", "4"]
    run = launch("mnist_oe", *arguments, tmp_path=tmp_path)
    assert run.returncode == 0, run.stderr[-3000:]
    results = check_outputs(tmp_path / "run", {"my_anomalies"})
    assert {row["score"] for row in results["rows"] if row["stage"] == "oe"} == {objective}
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert (config["model_type"] == "oe_branch") == (objective != "multilabel")


def test_the_first_recipe_needs_nothing_but_installed_packages(tmp_path):
    run = launch("digits_oe", "--output_dir", tmp_path / "run", *SMALL, tmp_path=tmp_path)
    assert run.returncode == 0, run.stderr[-3000:]
    results = json.loads((tmp_path / "run" / "ood_results.json").read_text())
    assert len({row["corpus"] for row in results["rows"]} - {"error_detection"}) >= 8


def test_settings_from_yaml_several_scores_from_scratch_and_a_corpus_out_of_reach(data_dir, tmp_path):
    settings = {
        "data_dir": str(data_dir),
        "output_dir": str(tmp_path / "run"),
        "mode": "scratch",
        "protocol": "iclr",
        "outliers": ["my_outliers"],
        "ood_corpora": ["my_anomalies", "icons50"],
        "score": ["msp", "energy"],
        "max_steps": 100,
        "per_device_train_batch_size": 4,
    }
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(settings))
    run = launch("mnist_oe", tmp_path / "run.yaml", "--max_steps", "2", tmp_path=tmp_path)
    assert run.returncode == 0, run.stderr[-3000:]
    results = check_outputs(tmp_path / "run", {"my_anomalies"})
    assert {row["score"] for row in results["rows"] if row["stage"] == "oe"} == {"msp", "energy"}
    assert results["left_out"] == ["icons50"]
    assert "icons50 is left out" in run.stderr and "eft out" in run.stdout

    again = launch("mnist_oe", tmp_path / "run.yaml", tmp_path=tmp_path)
    assert again.returncode != 0 and "holds an earlier run: add --resume_from_checkpoint true" in again.stderr


def test_with_no_test_corpus_in_reach_it_ends_with_one_sentence(data_dir, tmp_path):
    arguments = ["--data_dir", data_dir, "--output_dir", tmp_path / "run", "--outliers", "my_outliers"]
    run = launch("mnist_oe", *arguments, "--ood_corpora", "icons50", tmp_path=tmp_path)
    assert run.returncode != 0
    assert "None of the test corpora icons50 can be reached" in run.stderr


def test_a_finished_run_is_taken_up_without_training_again(data_dir, tmp_path):
    arguments = ["--data_dir", data_dir, "--output_dir", tmp_path / "run", "--outliers", "my_outliers", *SMALL]
    arguments += ["--ood_corpora", "my_anomalies", "--save_strategy", "steps", "--save_steps", "1"]
    assert launch("mnist_oe", *arguments, tmp_path=tmp_path).returncode == 0
    first = check_outputs(tmp_path / "run", {"my_anomalies"})
    # As if it had been killed between the last checkpoint of the second stage and its end.
    (tmp_path / "run" / "oe" / "train_results.json").unlink()
    again = launch("mnist_oe", *arguments, "--resume_from_checkpoint", "true", tmp_path=tmp_path)
    assert again.returncode == 0, again.stderr[-3000:]
    second = check_outputs(tmp_path / "run", {"my_anomalies"})
    assert (
        second["rows"] == first["rows"] and second["train_seconds"]["baseline"] == first["train_seconds"]["baseline"]
    )
