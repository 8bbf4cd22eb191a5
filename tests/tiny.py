"""A classifier and datasets small enough to train for a few steps in a fraction of a second."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets
import tokenizers
import torch
from torch import nn
from torch.utils.data import Dataset
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    TrainerCallback,
)
from transformers.modeling_outputs import ImageClassifierOutputWithNoAttention

from hf_oe import OETrainer, OETrainingArguments, pipeline

SIZE, CLASSES = 6, 3


class TinyConfig(PretrainedConfig):
    model_type = "tiny_test_classifier"

    def __init__(self, dropout: float = 0.3, **kwargs):
        self.dropout = dropout
        super().__init__(**kwargs)


class TinyClassifier(PreTrainedModel):
    config_class = TinyConfig
    main_input_name = "pixel_values"
    accepts_loss_kwargs = False

    def __init__(self, config: TinyConfig):
        super().__init__(config)
        self.layers = nn.Sequential(
            nn.Linear(SIZE, 16), nn.ReLU(), nn.Dropout(config.dropout), nn.Linear(16, config.num_labels)
        )
        self.post_init()

    def forward(self, pixel_values, labels=None):
        logits = self.layers(pixel_values)
        loss = None if labels is None else nn.functional.cross_entropy(logits, labels)
        return ImageClassifierOutputWithNoAttention(loss=loss, logits=logits)


def tiny_model(dropout: float = 0.3) -> TinyClassifier:
    torch.manual_seed(0)
    return TinyClassifier(TinyConfig(dropout, num_labels=CLASSES))


def vector(index: int, shift: float) -> torch.Tensor:
    generator = torch.Generator().manual_seed(index)
    values = 0.5 * torch.randn(SIZE, generator=generator) + shift
    values[index % CLASSES] += 2
    return values


class Vectors(Dataset):
    """Clusters by class; `noise` augments each draw from torch's global generator."""

    def __init__(self, size: int, shift: float = 0.0, labelled: bool = True, noise: float = 0.1):
        self.size, self.shift, self.labelled, self.noise = size, shift, labelled, noise

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> dict[str, Any]:
        values = vector(index, self.shift) + self.noise * torch.rand(SIZE)
        return {"pixel_values": values, "labels": index % CLASSES} if self.labelled else {"pixel_values": values}


def outlier_stream(size: int, shards: int = 1) -> datasets.IterableDataset:
    def generate(bounds):
        for start, stop in bounds:
            for index in range(start, stop):
                yield {"pixel_values": vector(index, -2.0).tolist()}

    step = size // shards
    bounds = [(start, start + step) for start in range(0, size, step)]
    return datasets.IterableDataset.from_generator(generate, gen_kwargs={"bounds": bounds})


OUTLIERS = {
    "map-style": lambda: Vectors(50, shift=-2.0, labelled=False),
    "stream": lambda: outlier_stream(50),
    "none": lambda: None,
}


def tiny_trainer(output_dir: Path, outliers: Any, dropout: float = 0.3, noise: float = 0.1, **kwargs) -> OETrainer:
    """24 examples, batches of 4 and 6 outliers, so 6 steps an epoch in one process."""
    callbacks = kwargs.pop("callbacks", None)
    settings = {
        "num_train_epochs": 3,
        "per_device_train_batch_size": 4,
        "outlier_batch_size": 6,
        "learning_rate": 0.05,
        "optim": "sgd",
        "logging_steps": 1,
        "save_steps": 2,
        "report_to": "none",
        "disable_tqdm": True,
        "use_cpu": True,
        "dataloader_pin_memory": False,
        **kwargs,
    }
    return OETrainer(
        model=tiny_model(dropout),
        args=OETrainingArguments(str(output_dir), **settings),
        train_dataset=Vectors(24, noise=noise),
        outlier_dataset=outliers,
        eval_dataset=Vectors(30, noise=0.0),
        ood_datasets={"far": Vectors(40, shift=-3.0, noise=0.0), "near": Vectors(9, shift=-0.5, noise=0.0)},
        callbacks=callbacks,
    )


class Killed(Exception):
    pass


class KillAt(TrainerCallback):
    """Ends training abruptly after a step, when a checkpoint due there has been written."""

    def __init__(self, step: int):
        self.step = step

    def on_step_begin(self, args, state, control, **kwargs):
        if state.global_step == self.step:
            raise Killed


def weights(trainer: OETrainer) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in trainer.model.state_dict().items()}


def tiny_reader() -> Any:
    """A text pipeline that knows eight words and four classes."""
    torch.manual_seed(0)
    words = "a film of rare beauty and dull noise".split()
    vocabulary = {word: index for index, word in enumerate(["[PAD]", "[UNK]", *words])}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="[UNK]", pad_token="[PAD]", model_max_length=16
    )
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=16,
        num_labels=4,
    )
    model = BertForSequenceClassification(config).eval()
    return pipeline("ood-text-classification", model=model, tokenizer=fast, device="cpu")
