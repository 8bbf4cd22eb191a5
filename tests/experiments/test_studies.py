"""Studies and the table of methods in their smallest form, in this process."""

import json

import pytest
from transformers import ViTConfig, ViTForImageClassification

from hf_oe.data.corpora import load_source
from hf_oe.experiments.comparison import compare_methods, comparison_table
from hf_oe.experiments.studies import diversity_study, diversity_table, few_shot_experiment
from hf_oe.protocols.images import CIFAR10, FEW_SHOT, MNIST

from ..test_recipes import write_images

SMALL = ["--max_steps", "1", "--per_device_train_batch_size", "4", "--per_device_eval_batch_size", "8"]
SMALL += ["--use_cpu", "true", "--disable_tqdm", "true", "--ood_corpora", "my_anomalies", "--hold_out", "0"]


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    for name, size, labels in (("mnist", 28, 10), ("cifar10", 32, 10), ("cifar100", 32, 100)):
        for split in ("train", "test"):
            write_images(folder / name / f"{split}.parquet", 12, size, labels)
    write_images(folder / "my_anomalies" / "test.parquet", 6, 32, 1)
    return folder


def test_diversity_study(data_dir, tmp_path, capsys):
    places = ["--data_dir", str(data_dir), "--output_dir", str(tmp_path), "--architecture", "wrn_16_1"]
    results = diversity_study(CIFAR10, "cifar100", [*places, *SMALL, "--classes", "2", "5"])
    assert list(results) == ["gaussian", "2", "5"]
    assert len({json.dumps(result["mean"][0]) for result in results.values()}) == 1, "the baseline is the same"
    chosen = load_source(str(tmp_path / "5" / "outliers.parquet"), "train")
    assert sorted(set(chosen["label"][:])) == [0, 1, 2, 3, 4]
    table = (tmp_path / "diversity.md").read_text()
    assert table in capsys.readouterr().out and "| 5 classes of cifar100 |" in table
    assert (tmp_path / "diversity.png").stat().st_size > 0
    again = diversity_study(CIFAR10, "cifar100", [*places, *SMALL, "--classes", "5"])
    assert again == {"gaussian": results["gaussian"], "5": results["5"]}


def test_few_shot_exposure_of_a_transformer(data_dir, tmp_path):
    config = ViTConfig(
        hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8, image_size=32, patch_size=16
    )
    ViTForImageClassification(config).save_pretrained(tmp_path / "vit")
    places = ["--data_dir", str(data_dir), "--output_dir", str(tmp_path / "run")]
    arguments = [*places, *SMALL, "--architecture", str(tmp_path / "vit"), "--shots", "1"]
    results = few_shot_experiment(FEW_SHOT, "cifar10", arguments)
    assert {row["score"] for row in results["rows"] if row["stage"] == "oe"} == {"reject"}
    assert len(load_source(str(tmp_path / "run" / "outliers.parquet"), "train")) == 10
    saved = json.loads((tmp_path / "run" / "config.json").read_text())
    assert saved["classifier"]["model_type"] == "vit" and saved["classifier"]["image_size"] == 32


def test_methods_are_compared_from_a_shared_baseline(data_dir, tmp_path):
    arguments = ["--data_dir", str(data_dir), "--output_dir", str(tmp_path), "--outliers", "cifar100", *SMALL]
    table = compare_methods(MNIST, [*arguments, "--methods", "uniform", "energy_bounded", "multilabel"])
    assert table == (tmp_path / "methods.md").read_text()
    for line in ("uniform | kl_uniform | oe", "energy_bounded | energy | baseline", "multilabel | multilabel | oe"):
        assert f"| {line} |" in table
    results = json.loads((tmp_path / "energy_bounded" / "ood_results.json").read_text())
    assert results["train_seconds"]["baseline"] == 0 and results["train_seconds"]["oe"] > 0


def result(score, *figures):
    means = [
        {"score": score, "stage": stage, "fpr": fpr, "auroc": 0.5, "aupr": 0.25}
        for stage, fpr in zip(("baseline", "oe"), figures, strict=True)
    ]
    rows = [{"corpus": "textures"}, {"corpus": "error_detection"}]
    error = {"baseline": 0.02, "oe": 0.01}
    return {"in_distribution": "mnist", "recall_level": 0.95, "mean": means, "rows": rows, "test_error": error}


def test_tables_in_percent():
    table = comparison_table({"reject": result("reject", 0.125, 0.05)})
    assert "| reject | reject | baseline | 12.50 | 50.00 | 25.00 | 2.00 |" in table
    assert table.endswith("In-distribution: mnist; means over textures.\n")
    table = diversity_table({"gaussian": result("msp", 0.5, 0.4), "10": result("msp", 0.5, 0.3)}, "cifar100")
    rows = [line.split(" | ")[0:2] for line in table.splitlines()[2:]]
    assert rows == [["| none", "50.00"], ["| gaussian", "40.00"], ["| 10 classes of cifar100", "30.00"]]
