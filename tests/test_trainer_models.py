"""OETrainer with the models and the Trainer features that people bring along."""

import datasets
import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from PIL import Image
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from torch.utils.data import Dataset
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    DataCollatorWithPadding,
    PreTrainedTokenizerFast,
    TrainerCallback,
    ViTConfig,
    ViTForImageClassification,
    ViTImageProcessor,
)

from hf_oe import OETrainer, OETrainingArguments
from hf_oe.data.images import ImageProcessorCollator
from hf_oe.models import create_classifier


class Images(Dataset):
    """Classes that differ in brightness; outliers are checkerboards."""

    def __init__(self, size: int, outliers: bool = False):
        self.size, self.outliers = size, outliers

    def __len__(self):
        return self.size

    def __getitem__(self, index):
        generator = torch.Generator().manual_seed(index)
        image = 0.1 * torch.randn(3, 16, 16, generator=generator)
        if self.outliers:
            image[:, ::2, ::2] += 2
            return {"pixel_values": image}
        return {"pixel_values": image + index % 2, "labels": index % 2}


def vit():
    torch.manual_seed(0)
    return ViTForImageClassification(
        ViTConfig(
            hidden_size=16,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=32,
            image_size=16,
            patch_size=8,
            num_labels=2,
        )
    )


def lora_vit():
    return get_peft_model(vit(), LoraConfig(target_modules=["q_proj", "query"], modules_to_save=["classifier"], r=2))


def bert():
    torch.manual_seed(0)
    return BertForSequenceClassification(
        BertConfig(
            vocab_size=20,
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=32,
            max_position_embeddings=16,
            num_labels=2,
        )
    )


def train(model, tmp_path, train_dataset, outliers, eval_dataset, anomalies, data_collator=None, **settings):
    settings = {"max_steps": 3, "per_device_train_batch_size": 4, "outlier_batch_size": 2, **settings}
    trainer = OETrainer(
        model=model,
        args=OETrainingArguments(
            str(tmp_path), report_to="none", use_cpu=True, dataloader_pin_memory=False, logging_steps=1, **settings
        ),
        train_dataset=train_dataset,
        outlier_dataset=outliers,
        eval_dataset=eval_dataset,
        ood_datasets={"strange": anomalies},
        data_collator=data_collator,
    )
    trainer.train()
    return trainer


def train_on_images(model, tmp_path, **settings):
    return train(
        model, tmp_path, Images(16), Images(20, outliers=True), Images(8), Images(8, outliers=True), **settings
    )


@pytest.mark.parametrize(
    "make",
    [
        vit,
        lora_vit,
        lambda: create_classifier("wrn_16_1", 2),
        lambda: create_classifier("resnet10t", 2),
    ],
    ids=["transformers", "peft", "wide resnet", "timm"],
)
def test_image_classifiers(make, tmp_path):
    metrics = train_on_images(make(), tmp_path).evaluate()
    assert {"eval_accuracy", "eval_ood_strange_auroc"} <= set(metrics)


@pytest.mark.parametrize(
    "settings",
    [
        {"bf16": True},
        {"gradient_checkpointing": True},
        {"torch_compile": True, "torch_compile_backend": "aot_eager"},
        {"gradient_accumulation_steps": 2},
        {"eval_strategy": "steps", "eval_steps": 1, "save_steps": 1, "load_best_model_at_end": True}
        | {"metric_for_best_model": "eval_ood_mean_auroc", "greater_is_better": True},
    ],
    ids=lambda settings: next(iter(settings)),
)
def test_features_of_the_trainer(settings, tmp_path):
    trainer = train_on_images(vit(), tmp_path, **settings)
    losses = [log["loss_outlier"] for log in trainer.state.log_history if "loss_outlier" in log]
    assert len(losses) == 3 and all(0.3 < loss < 0.5 for loss in losses)  # about 0.5 * log(2)


def test_it_learns_to_be_unsure_on_outliers_only(tmp_path):
    trainer = train_on_images(vit(), tmp_path, max_steps=60, learning_rate=1e-2)
    metrics = trainer.evaluate()
    assert metrics["eval_accuracy"] == 1.0 and metrics["eval_ood_strange_auroc"] > 0.95


@pytest.mark.parametrize("streamed", [False, True])
def test_text_classifiers_with_texts_of_any_length(tmp_path, streamed):
    vocabulary = {"[PAD]": 0, **{str(number): number for number in range(1, 20)}}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(WordLevel(vocabulary)), pad_token="[PAD]")

    def texts(count, length, token, labelled):
        rows = {
            "input_ids": [[token + index % 2] * (length + index % 3) for index in range(count)],
            "attention_mask": [[1] * (length + index % 3) for index in range(count)],
            "source": ["a column that the model does not take"] * count,
        }
        return datasets.Dataset.from_dict(rows | ({"label": [i % 2 for i in range(count)]} if labelled else {}))

    outliers = texts(20, 7, 10, labelled=False)
    trainer = train(
        bert(),
        tmp_path,
        texts(16, 3, 2, labelled=True),
        outliers.to_iterable_dataset() if streamed else outliers,
        texts(8, 3, 2, labelled=True),
        texts(8, 7, 14, labelled=False),
        data_collator=DataCollatorWithPadding(tokenizer),
        max_steps=40,
        learning_rate=1e-2,
    )
    metrics = trainer.evaluate()
    assert metrics["eval_accuracy"] == 1.0 and metrics["eval_ood_strange_auroc"] > 0.9


def test_raw_images_through_an_image_processor(tmp_path):
    def pictures(brightness, labelled=True):
        images = [Image.fromarray(np.full((20, 30, 3), value, np.uint8)) for value in brightness]
        columns, features = {"image": images}, {"image": datasets.Image()}
        if labelled:
            columns["label"], features["label"] = [index % 2 for index in range(len(images))], datasets.Value("int64")
        return datasets.Dataset.from_dict(columns, features=datasets.Features(features))

    trainer = train(
        vit(),
        tmp_path,
        pictures([0, 250] * 8),
        pictures([120, 130] * 8, labelled=False),
        pictures([5, 245] * 4),
        pictures([125] * 8, labelled=False),
        data_collator=ImageProcessorCollator(ViTImageProcessor(size={"height": 16, "width": 16})),
        remove_unused_columns=False,
        max_steps=60,
        learning_rate=1e-2,
    )
    metrics = trainer.evaluate()
    assert metrics["eval_accuracy"] == 1.0 and metrics["eval_ood_strange_auroc"] == 1.0


def test_callbacks_see_the_steps(tmp_path):
    steps = []

    class Count(TrainerCallback):
        def on_step_end(self, args, state, control, **kwargs):
            steps.append(state.global_step)

    trainer = OETrainer(
        vit(),
        OETrainingArguments(str(tmp_path), max_steps=2, report_to="none", use_cpu=True, dataloader_pin_memory=False),
        train_dataset=Images(16),
        outlier_dataset=Images(16, outliers=True),
        callbacks=[Count()],
    )
    trainer.train()
    assert steps == [1, 2]
