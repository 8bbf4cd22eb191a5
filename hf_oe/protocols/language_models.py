"""The paper's experiments with language models as data (section 4.3), and the defaults of other models and text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True)
class LanguageProtocol:
    """One experiment with a causal language model.

    Attributes:
        in_distribution: source of the in-distribution text, as `load_source` takes it; `None` leaves it to the user.
        tokenizer: "words" or "characters" of the in-distribution text, or the folder or Hub id of a saved one; `None`
            for that of the model.
        architecture: type of the model, as transformers names it, to be trained from scratch.
        model_settings: of its configuration.
        penn_treebank_text: whether other text is written as the character-level Penn Treebank is.
        sequence_length: tokens that a sequence predicts.
        outliers, corpora: sources of outliers and of test anomalies.
        optimiser: settings of `TrainingArguments`, the same in both stages.
        averaging_patience: see `NonMonotonicAveraging`; `None` for no averaging.
        baseline_epochs, baseline_learning_rate, oe_epochs, oe_learning_rate: of the two stages.
        batch_size: sequences a step; as many outliers come on top.
    """

    in_distribution: str | None = None
    tokenizer: str | None = None
    architecture: str = "gpt2"
    model_settings: Mapping[str, Any] = field(default_factory=dict)
    penn_treebank_text: bool = False
    sequence_length: int = 128
    outliers: tuple[str, ...] = ("wikitext2",)
    corpora: tuple[str, ...] = ("english_web_treebank",)
    optimiser: Mapping[str, Any] = field(default_factory=dict)
    averaging_patience: int | None = None
    baseline_epochs: float = 3
    baseline_learning_rate: float = 5e-4
    oe_epochs: float = 1
    oe_learning_rate: float = 1e-4
    batch_size: int = 20


PTB_WORD = LanguageProtocol(
    in_distribution="ptb",
    tokenizer="words",
    architecture="oe_awd_lstm",
    sequence_length=70,
    optimiser={"optim": "sgd", "weight_decay": 1.2e-6, "max_grad_norm": 0.25, "lr_scheduler_type": "constant"},
    averaging_patience=5,
    baseline_epochs=300,
    baseline_learning_rate=30.0,
    oe_epochs=5,
    # The paper does not say: low enough that the last step's weights need no averaging.
    oe_learning_rate=3.0,
)

PTB_CHAR = replace(
    PTB_WORD,
    in_distribution="ptb_char",
    tokenizer="characters",
    model_settings={
        "cell": "qrnn",
        "hidden_size": 1550,
        "num_layers": 4,
        "hidden_dropout": 0.3,
        "weight_dropout": 0.1,
    },
    penn_treebank_text=True,
    sequence_length=150,
    optimiser={**PTB_WORD.optimiser, "max_grad_norm": 0.2},
    baseline_epochs=50,
)

CAUSAL_LM = LanguageProtocol()
"""Not the paper's: any model and any text."""
