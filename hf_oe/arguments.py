"""Arguments of `OETrainer`: those of `transformers.TrainingArguments`, and what Outlier Exposure adds."""

from __future__ import annotations

import inspect
import json
import math
from dataclasses import dataclass, field
from typing import Any

from transformers import TrainingArguments

from .detectors import DETECTORS
from .detectors.scoring import detectors_among
from .methods import method_of
from .objectives import CONTEXT, OBJECTIVES
from .scores import SCORES


@dataclass
class OETrainingArguments(TrainingArguments):
    """`TrainingArguments` with the settings of Outlier Exposure.

    All defaults of `TrainingArguments` hold; those of the fields below are the paper's (Hendrycks, Mazeika and
    Dietterich 2018). `per_device_train_batch_size` counts in-distribution examples; outliers come on top.
    """

    objective: str = field(
        default="uniform",
        metadata={"help": f"What is trained for on outliers; one of {', '.join(OBJECTIVES)} (paper: uniform)."},
    )
    objective_kwargs: dict | str | None = field(
        default=None,
        metadata={"help": "Further settings of the objective, as JSON: '{\"margin_in\": -25}'."},
    )
    outlier_weight: float | None = field(
        default=None,
        metadata={
            "help": "Factor of the outlier part of the objective; default: the objective's own (paper: 0.5; section "
            "4.2.3)."
        },
    )
    outlier_batch_size: int | None = field(
        default=None,
        metadata={
            "help": "Outliers that each device adds to a batch; default: as many as in-distribution examples, as in "
            "the paper's first version (section 3). The published version adds twice as many."
        },
    )
    decay_all_parameters: bool = field(
        default=False,
        metadata={
            "help": "Apply weight decay to biases and normalisation weights too, which the Trainer spares "
            "(paper's image classifiers: yes)."
        },
    )
    score: list[str] | None = field(
        default=None,
        metadata={
            "help": f"Anomaly scores to evaluate, of {', '.join([*SCORES, *DETECTORS])}; default: the one that goes "
            "with the objective (paper: msp; kl_uniform in Tables 2 and 9).",
        },
    )
    recall_level: list[float] = field(
        default_factory=lambda: [0.95],
        metadata={
            "help": "Recall of anomalies at which false positives are counted; the first one names the `fpr` column "
            "(paper: 0.95; 0.99 for MNIST and SVHN; 0.9 for text).",
        },
    )
    ood_trials: int = field(
        default=10, metadata={"help": "Draws of anomalies that each figure is averaged over (paper: 10)."}
    )
    ood_base_rate: float = field(
        default=0.2,
        metadata={"help": "Anomalies per in-distribution test example (paper: 1:5, that is 0.2; section 4.1)."},
    )
    calibration_base_rate: float = field(
        default=1.0,
        metadata={
            "help": "Anomalies per in-distribution test example where calibration is measured (paper: as many, that "
            "is 1; section 4.4. The authors' code: 0.2)."
        },
    )
    outlier_shuffle_block: int | None = field(
        default=None,
        metadata={
            "help": "Shuffle streamed outliers within blocks of so many, kept in memory; unlike a shuffle buffer it "
            "loses nothing when a run is resumed (default: as they come)."
        },
    )
    max_unreadable_outliers: float = field(
        default=0.05,
        metadata={
            "help": "Largest share of outliers that may be unreadable: they are skipped and counted in the log as "
            "outliers_skipped; more is an error that names examples."
        },
    )
    on_nonfinite_loss: str = field(
        default="stop",
        metadata={
            "help": "What to do when a loss is NaN or infinite: 'stop' before the step, or 'skip' the step; the "
            "indices of the batch are written to nonfinite_loss/ in the output folder."
        },
    )

    def __post_init__(self):
        super().__post_init__()
        self.objective_kwargs = _objective_kwargs(self.objective, self.objective_kwargs)
        if self.outlier_weight is None:
            self.outlier_weight = own_weight(self.objective)
        self.score = self.score or [method_of(self.objective).score]
        detectors_among(self.score)
        if self.outlier_batch_size is not None and self.outlier_batch_size < 1:
            raise ValueError(
                f"`outlier_batch_size` must be at least 1, got {self.outlier_batch_size}: to train without outliers, "
                "leave out `outlier_dataset`."
            )
        if self.outlier_shuffle_block is not None and self.outlier_shuffle_block < 1:
            raise ValueError(f"`outlier_shuffle_block` must be at least 1, got {self.outlier_shuffle_block}.")
        if not 0 <= self.max_unreadable_outliers <= 1:
            raise ValueError(
                f"`max_unreadable_outliers` must be a fraction between 0 and 1, got {self.max_unreadable_outliers}."
            )
        if self.on_nonfinite_loss not in ("stop", "skip"):
            raise ValueError(f"`on_nonfinite_loss` must be 'stop' or 'skip', got {self.on_nonfinite_loss!r}.")
        if not 0 <= self.outlier_weight < math.inf:
            raise ValueError(f"`outlier_weight` must not be negative or infinite, got {self.outlier_weight}.")
        if not all(0 < level <= 1 for level in self.recall_level) or not self.recall_level:
            raise ValueError(f"`recall_level` must be fractions between 0 and 1, got {self.recall_level}.")
        if self.ood_trials < 1:
            raise ValueError(f"`ood_trials` must be at least 1, got {self.ood_trials}.")
        for name in ("ood_base_rate", "calibration_base_rate"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"`{name}` must be a number greater than 0, got {getattr(self, name)}.")


def own_weight(objective: str) -> float:
    """The weight of the outlier part that an objective has by default (paper: 0.5)."""
    weight = inspect.signature(OBJECTIVES[objective]).parameters["weight"].default
    return 0.5 if weight is inspect.Parameter.empty else weight


def _objective_kwargs(objective: str, given: dict | str | None) -> dict[str, Any]:
    """Settings that the objective takes, from a dictionary or its JSON."""
    known = list(inspect.signature(OBJECTIVES[objective]).parameters)[3:]
    try:
        settings = dict(json.loads(given) if isinstance(given, str) else given or {})
    except (TypeError, ValueError) as error:
        raise ValueError(f"`objective_kwargs` must be a dictionary or its JSON, got {given!r}.") from error
    own = [name for name in known if name not in ("weight", *CONTEXT)]
    for name in settings:
        if name not in own:
            raise ValueError(
                f"`objective_kwargs` sets {name!r}, which the objective {objective!r} does not take: its settings are "
                f"{', '.join(own) or 'none'}."
            )
    return settings
