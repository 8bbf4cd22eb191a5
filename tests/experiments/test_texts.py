"""What the text recipe takes, and the classifier and tokenizer that it makes of it."""

import json

import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer, BertConfig, BertForSequenceClassification

from hf_oe.data.text import build_word_tokenizer
from hf_oe.experiments.texts import parse_text_arguments, run_text_experiment, text_experiment
from tests.data.test_text_sets import write


@pytest.fixture
def data_dir(tmp_path):
    folder = tmp_path / "data"
    for split in ("train", "test"):
        write(folder / "mine" / split, text=["what a day", "who are you ?"] * 8, label=[0, 1] * 8)
    write(folder / "outside" / "train", text=["The <unk> of the sea was calm .", "Many ships went by ."] * 8)
    write(folder / "strange" / "test", text=["sea and sky", "ships"] * 3)
    return str(folder)


def arguments(data_dir, tmp_path, *more):
    sets = ["--in_distribution", "mine", "--outliers", "outside", "--ood_corpora", "strange", "--data_dir", data_dir]
    places = ["--output_dir", str(tmp_path / "run"), "--disable_tqdm", "true", "--use_cpu", "true"]
    return parse_text_arguments([*sets, *places, "--max_steps", "2", *more])


def test_settings_are_the_published_ones_for_the_gru_and_usual_ones_for_a_transformer(tmp_path):
    args, training_args = parse_text_arguments(["--output_dir", str(tmp_path)])
    assert (args.architecture, args.baseline_epochs, training_args.num_train_epochs) == ("oe_gru_text", 5, 2)
    assert args.baseline_learning_rate == training_args.learning_rate == 0.01
    assert (training_args.outlier_weight, training_args.recall_level) == (1.0, [0.9])
    args, training_args = parse_text_arguments(["--output_dir", str(tmp_path), "--architecture", "some/bert"])
    assert args.baseline_learning_rate == training_args.learning_rate == 5e-5
    args, training_args = parse_text_arguments(["--output_dir", str(tmp_path), "--learning_rate", "0.002"])
    assert (args.baseline_learning_rate, training_args.learning_rate) == (0.01, 0.002)


def test_given_columns_and_length_change_the_protocol(tmp_path):
    args, _ = parse_text_arguments(["--output_dir", str(tmp_path), "--label_columns", "label", "--max_length", "7"])
    assert (args.protocol().label_columns, args.protocol().max_length) == (("label",), 7)
    args.in_distribution, args.max_length = "newsgroups20", None
    assert args.protocol().max_length == 100


def test_a_run_leaves_a_classifier_with_its_tokenizer_that_the_next_can_start_from(data_dir, tmp_path):
    args, training_args = arguments(data_dir, tmp_path)
    summary = run_text_experiment(args, training_args)
    assert summary["in_distribution"] == "mine" and set(summary["test_error"]) == {"baseline", "oe"}
    folder = tmp_path / "run"
    tokenizer, model = (
        AutoTokenizer.from_pretrained(folder),
        AutoModelForSequenceClassification.from_pretrained(folder),
    )
    assert model.config.vocab_size == len(tokenizer) and model.config.id2label == {0: "0", 1: "1"}
    card = (folder / "README.md").read_text()
    assert "pipeline_tag: text-classification" in card and "AutoModelForSequenceClassification" in card
    assert json.loads((folder / "ood_results.json").read_text())["rows"] == summary["rows"]

    args, training_args = arguments(data_dir, tmp_path, "--baseline", str(folder))
    experiment = text_experiment(args, training_args)
    assert experiment.trainer_settings["processing_class"].get_vocab() == tokenizer.get_vocab()


def test_published_figures_stand_only_beside_a_run_with_the_same_classes(data_dir, tmp_path):
    for split in ("train", "test"):
        write(tmp_path / "data" / "sst" / split, text=["bad", "good"], label=[0, 4])
        write(tmp_path / "data" / "trec" / split, text=["who ?", "what ?"], label=[0, 1])
    args, training_args = arguments(data_dir, tmp_path)
    args.in_distribution = "sst"
    assert text_experiment(args, training_args).published.rows["mean"][1][:2] == (27.3, 89.3)
    args.in_distribution = "trec"
    assert text_experiment(args, training_args).published is None


def test_any_sequence_classifier_serves_and_its_logits_do_not_depend_on_padding(data_dir, tmp_path):
    tokenizer = build_word_tokenizer(["what a day", "who are you"])
    settings = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    BertForSequenceClassification(BertConfig(vocab_size=len(tokenizer), num_labels=5, **settings)).save_pretrained(
        tmp_path / "bert"
    )
    tokenizer.save_pretrained(tmp_path / "bert")
    args, training_args = arguments(data_dir, tmp_path, "--architecture", str(tmp_path / "bert"))
    experiment = text_experiment(args, training_args)
    model = experiment.new_model().eval()
    assert (type(model), model.num_labels) == (BertForSequenceClassification, 2)
    collator, row = experiment.trainer_settings["data_collator"], dict(experiment.train[0])
    alone = collator([dict(row)])
    padded = collator([dict(row), {key: value * 9 for key, value in row.items() if key != "labels"} | {"labels": 0}])
    assert padded["input_ids"].shape[1] > alone["input_ids"].shape[1]
    with torch.no_grad():
        first = model(input_ids=alone["input_ids"], attention_mask=alone["attention_mask"]).logits[0]
        second = model(input_ids=padded["input_ids"], attention_mask=padded["attention_mask"]).logits[0]
    assert first.shape == second.shape == (2,)
