"""The text experiments of the published paper (ICLR 2019) as data; its first version has none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class TextProtocol:
    """One in-distribution set's experiment.

    Attributes:
        name: corpus name of the in-distribution set; `train_split` and `test_split` are its splits.
        num_labels: classes of the published experiment.
        label_columns: whose values together make a class, where the set has them.
        class_of: name of the class by label; examples with other labels are left out. Empty: each label is a class.
        text_column: of a corpus, where it is not `text` and the corpus has it.
        max_length: longer texts are cut, in tokens.
        vocab_size: words that the GRU knows.
        epochs, oe_epochs, learning_rate: of the two stages, for the GRU.
        transformer_learning_rate: of both stages, for any other classifier; not the paper's.
        batch_size: in-distribution examples a step, and as many outliers.
        corpora: test anomalies.
    """

    name: str
    num_labels: int | None = None
    train_split: str = "train"
    test_split: str = "test"
    label_columns: tuple[str, ...] = ("label",)
    class_of: Mapping[int, str] = field(default_factory=dict)
    # The authors take SNLI's hypotheses alone.
    text_column: Mapping[str, str] = field(default_factory=lambda: {"snli": "hypothesis"})
    max_length: int = 512
    vocab_size: int = 10_000
    epochs: float = 5
    oe_epochs: float = 2
    learning_rate: float = 0.01
    transformer_learning_rate: float = 5e-5
    batch_size: int = 64
    outlier_weight: float = 1.0
    outliers: tuple[str, ...] = ("wikitext2",)
    corpora: tuple[str, ...] = ("snli", "imdb", "multi30k", "wmt16", "english_web_treebank", "yelp")
    recall_level: tuple[float, ...] = (0.9,)


TREC = TextProtocol(name="trec", num_labels=50, label_columns=("label", "fine_label"))
"""Questions by the kind of their answer, 50 classes; 6 where the corpus has no `fine_label`."""

SST = TextProtocol(name="sst", num_labels=2, class_of={0: "negative", 1: "negative", 3: "positive", 4: "positive"})
"""Sentences of film reviews, without the neutral ones."""

NEWSGROUPS20 = TextProtocol(name="newsgroups20", num_labels=20, max_length=100)

TEXT_PROTOCOLS = {protocol.name: protocol for protocol in (TREC, SST, NEWSGROUPS20)}


def text_protocol(name: str) -> TextProtocol:
    """The paper's experiment, or one with its settings for another labelled set."""
    return TEXT_PROTOCOLS.get(name) or TextProtocol(name=name)
