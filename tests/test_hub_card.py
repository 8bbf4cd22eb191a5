"""The model card, the results beside it, and what the Trainer records and writes."""

import csv
import json
from dataclasses import asdict

import datasets
import numpy as np
import pytest
from huggingface_hub import ModelCard
from huggingface_hub.repocard_data import eval_results_to_model_index, model_index_to_eval_results
from torch.utils.data import ConcatDataset

from hf_oe.config import oe_settings, update_oe_settings
from hf_oe.data.decontaminate import DecontaminationReport, Match
from hf_oe.hub import describe_results, model_card, write_csv
from hf_oe.hub.provenance import describe_dataset
from hf_oe.models import create_classifier
from hf_oe.suite import OODSuite
from hf_oe.threshold import Threshold

from .tiny import OUTLIERS, Vectors, tiny_model, tiny_trainer


@pytest.fixture
def results():
    generator = np.random.default_rng(0)
    logits = 3 * generator.normal(size=(80, 10))
    labels = np.where(np.arange(80) < 70, logits.argmax(-1), 0)
    corpora = {name: generator.normal(size=(40, 10)) for name in ("textures", "svhn")}
    return describe_results(OODSuite(["msp", "energy"]).evaluate_logits(logits, corpora, labels), "cifar10")


@pytest.fixture
def model():
    model = create_classifier("wrn_16_1", 10)
    update_oe_settings(
        model,
        objective="uniform",
        outlier_weight=0.5,
        outliers=[{"name": "tiny_imagenet", "revision": "0123abcd"}, {"name": "my_pictures"}],
        score="energy",
        temperature=1.25,
        threshold=asdict(Threshold(-0.61, -0.63, -0.6, 0.95, "energy", "fpr", 0.05, 0.048, 500)),
    )
    return model


def test_metadata_say_what_the_hub_needs_to_find_and_show_it(model, results):
    card = model_card(model, results, name="me/detector", license="apache-2.0")
    data = ModelCard(str(card)).data
    assert (data.model_name, data.library_name, data.license) == ("detector", "transformers", "apache-2.0")
    assert data.pipeline_tag == "image-classification" and "outlier-exposure" in data.tags
    assert {"uoft-cs/cifar10", "zh-plus/tiny-imagenet"} >= set(data.datasets) and "uoft-cs/cifar10" in data.datasets
    index = eval_results_to_model_index("detector", data.eval_results)
    name, again = model_index_to_eval_results(index)
    assert name == "detector" and sorted(map(str, again)) == sorted(map(str, data.eval_results))
    figures = {(entry.dataset_name, entry.metric_name): entry.metric_value for entry in again}
    row = next(row for row in results["rows"] if (row["corpus"], row["score"]) == ("svhn", "energy"))
    assert figures["cifar10 against svhn", "AUROC, score energy"] == row["auroc"]
    assert figures["cifar10 against svhn", "FPR at 95 % recall, score energy"] == row["fpr"]
    mean = next(mean for mean in results["mean"] if mean["score"] == "msp")
    assert figures["cifar10", "AUPR, score msp, mean over the corpora"] == mean["aupr"]
    assert figures["cifar10", "Accuracy"] == 1 - results["test_error"]["oe"]


def test_text_tells_training_data_threshold_calibration_and_use(model, results):
    text = model_card(model, results, name="me/detector").text
    assert "exposed to outliers (tiny_imagenet, my_pictures) with the objective `uniform`, weight 0.5" in text
    assert "at least -0.61" in text and "flags 4.80% of the 500 held-out ones" in text
    assert "softmax at temperature 1.25" in text
    assert "none stated; research use" in text and "0123abcd" in text
    assert "my_pictures | outliers | not one of hf_oe's corpora | ask its owner" in text
    assert 'pipeline("ood-image-classification", model="me/detector")' in text
    assert "anomaly_score = -logits.logsumexp(-1)" in text and "trust_remote_code=True" in text
    svhn = next(line for line in text.splitlines() if line.startswith("| svhn"))
    assert svhn.count("±") == 3
    assert "Decontamination" not in text


def test_a_baseline_without_results_says_so():
    text = model_card(create_classifier("wrn_16_1", 12), name="me/plain").text
    assert "It was not trained with outliers" in text and "No threshold is stored" in text
    assert "12 classes" in text and "and 2 more" in text


def test_removed_outliers_are_reported(model, results):
    report = DecontaminationReport(
        900, {"cifar10": 100}, "Copies within 16 grey levels.", [Match(3, "cifar10", 7, "near")]
    )
    results["decontamination"] = {"tiny_imagenet": json.loads(json.dumps(asdict(report)))}
    text = model_card(model, results).text
    assert "## Decontamination of tiny_imagenet" in text and "1 of 900 outliers" in text


def test_the_csv_has_openoods_columns_in_percent(results, tmp_path):
    write_csv(tmp_path / "ood_results.csv", results)
    with open(tmp_path / "ood_results.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["stage", "score", "dataset", "FPR@95", "AUROC", "AUPR_OUT", "ACC"]
    assert [row["dataset"] for row in rows] == ["textures", "svhn"] * 2 + ["mean"] * 2
    assert float(rows[0]["AUROC"]) == pytest.approx(100 * results["rows"][0]["auroc"], abs=0.005)
    assert rows[0]["ACC"] == f"{100 * (1 - results['test_error']['oe']):.2f}"


def test_datasets_are_named_down_to_the_hubs_commit():
    commit = "0123456789" * 4
    info = datasets.DatasetInfo(
        dataset_name="textures", download_checksums={f"hf://datasets/me/textures@{commit}/train.parquet": {}}
    )
    known = datasets.Dataset.from_dict({"x": [1, 2]}, info=info)
    assert describe_dataset(ConcatDataset([known, Vectors(3)])) == [
        {"name": "textures", "revision": commit, "examples": 2},
        {"name": "Vectors", "examples": 3},
    ]


def test_the_trainer_records_how_it_trained_and_writes_our_card(tmp_path):
    trainer = tiny_trainer(tmp_path, OUTLIERS["map-style"](), max_steps=2, hub_model_id="me/vectors")
    trainer.train()
    trainer.evaluate()
    trainer.save_model()
    trainer.create_model_card(license="mit", tags="vectors", dataset="clusters")
    settings = json.loads((tmp_path / "config.json").read_text())["oe"]
    assert settings["objective"] == "uniform" and settings["score"] == "msp"
    assert settings["outliers"] == [{"name": "Vectors", "examples": 50}]
    card = ModelCard.load(tmp_path / "README.md")
    assert card.data.license == "mit" and {"vectors", "outlier-exposure"} <= set(card.data.tags)
    assert "classifier of clusters" in card.text and "| far" in card.text
    saved = json.loads((tmp_path / "ood_results.json").read_text())
    assert saved["histogram"]["score"] == "msp" and sum(saved["histogram"]["counts"]) == 30
    assert (tmp_path / "ood_results.csv").exists()


def test_a_trained_baseline_is_recorded_as_one(tmp_path):
    trainer = tiny_trainer(tmp_path, None, max_steps=1)
    trainer.train()
    trainer.save_model()
    trainer.create_model_card()
    assert "objective" not in oe_settings(trainer.model)
    assert "It was not trained with outliers" in (tmp_path / "README.md").read_text()
    assert oe_settings(tiny_model()) == {}
