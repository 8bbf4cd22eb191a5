"""The paper's experiment with a density model (section 4.3): PixelCNN++ on CIFAR-10, before and after OE."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import Dataset

from ..arguments import OETrainingArguments
from ..methods.density_scores import compressed_bits_per_dim, likelihood_ratio
from ..models import PixelCNNPPConfig, PixelCNNPPModel
from ..polyak import PolyakAveraging
from ..protocols.images import CIFAR10
from ..protocols.published import PUBLISHED_PIXELCNN
from ..report import plot_heat_maps
from ..report.page import HEAT_MAPS, write_report
from ..suite import OODResults, OODSuite, Outputs, ScoreTable, collect_logits, write_results
from ..trainer import OETrainer
from .images import ImageExperimentArguments, image_experiment
from .stages import baseline_and_exposure, check_output_dir, parse_with_config, run_stages

logger = logging.getLogger(__name__)


@dataclass
class DensityExperimentArguments(ImageExperimentArguments):
    """What the density recipe takes besides `OETrainingArguments`."""

    # No arguments: a density has no temperature, and no features that detectors work on.
    hold_out: int | None = field(default=None, init=False)
    context_scores: list[str] = field(default_factory=list, init=False)
    architecture: Literal["pixelcnn_pp"] = field(default="pixelcnn_pp", metadata={"help": "The density model."})
    image_size: int = field(default=32, metadata={"help": "Side in pixels that all images are resized to."})
    filters: int = field(default=160, metadata={"help": "Feature maps of each stream (PixelCNN++: 160)."})
    blocks: int = field(default=5, metadata={"help": "Residual blocks of each resolution (PixelCNN++: 5)."})
    mixtures: int = field(default=10, metadata={"help": "Discretized logistics a pixel (PixelCNN++: 10)."})
    dropout: float = field(default=0.5, metadata={"help": "Dropout in the residual blocks (PixelCNN++: 0.5)."})
    polyak_decay: float = field(
        default=0.9995,
        metadata={"help": "Of the average of the weights that is evaluated, a step (PixelCNN++: 0.9995)."},
    )
    learning_rate_decay: float = field(
        default=0.999995, metadata={"help": "Factor of the learning rate a step (PixelCNN++: 0.999995)."}
    )
    background: str | None = field(
        default=None,
        metadata={
            "help": "Folder or Hub id of a background PixelCNN++ on images of the same size: adds the score "
            "`likelihood_ratio` against it (default: none)."
        },
    )


_PROTOCOL = replace(
    CIFAR10,
    mean=(0.5, 0.5, 0.5),
    std=(0.5, 0.5, 0.5),
    crop_padding=0,
    flip=False,
    outlier_crop_padding=0,
    outlier_flip=False,
    outliers=("tiny_images_80m",),
    baseline_epochs=200,
    hold_out=0,
)
"""Pixels in [-1, 1], as they are; section 4.3 of the paper does not say how long the baseline was trained."""

_TRAINING_DEFAULTS: dict[str, Any] = {
    "output_dir": "runs/cifar10_pixelcnn_oe",
    "baseline_epochs": _PROTOCOL.baseline_epochs,
    "num_train_epochs": 1,
    "learning_rate": 2e-4,
    "per_device_train_batch_size": 32,
    "per_device_eval_batch_size": 64,
    "optim": "adamw_torch",
    "weight_decay": 0.0,
    "adam_beta1": 0.95,
    "adam_beta2": 0.9995,
    "max_grad_norm": 0.0,
    "lr_scheduler_type": "constant",
    "warmup_steps": 100,
    "objective": "margin",
}
"""The paper's one epoch of OE with the optimiser of PixelCNN++, after a warm-up."""


def parse_arguments(argv: list[str] | None = None) -> tuple[DensityExperimentArguments, OETrainingArguments]:
    """Command-line arguments, optionally after a YAML or JSON file of them; the defaults are Table 5's."""
    description = "Outlier Exposure of a density model of CIFAR-10: baseline, OE, and the table of both."
    args, training_args = parse_with_config(DensityExperimentArguments, description, _TRAINING_DEFAULTS, argv)
    args.baseline_learning_rate = args.baseline_learning_rate or training_args.learning_rate
    if args.protocol == "iclr":
        args.oe_epochs = args.oe_epochs or 2
    return args, training_args


def run_density_experiment(args: DensityExperimentArguments, training_args: OETrainingArguments) -> dict[str, Any]:
    """Trains both stages, evaluates both, and writes model, card, plots and `ood_results.json` into `output_dir`.

    Beside the score `bits_per_dim` stand `input_complexity` and, with a background model, `likelihood_ratio`; the mean
    bits a dimension of every corpus are in the results under `bits_per_dim`, by stage.

    Returns:
        What `ood_results.json` holds.
    """
    check_output_dir(training_args)
    experiment = image_experiment(replace(_PROTOCOL, image_size=args.image_size), args, training_args)
    experiment = replace(
        experiment,
        task="unconditional-image-generation",
        new_model=partial(_new_model, args, experiment.train),
        load_model=PixelCNNPPModel.from_pretrained,
        published=PUBLISHED_PIXELCNN if args.protocol == "paper" else None,
    )
    sets = {"in_distribution": experiment.test, **experiment.ood}
    corrections = _corrections(args, training_args, sets)
    stages = baseline_and_exposure(args, training_args)
    suites = {stage.name: DensitySuite(corrections, training_args) for stage in stages}
    for stage in stages:
        stage.trainer = partial(DensityTrainer, args, suites[stage.name])
    results = run_stages(experiment, stages, training_args)
    results["bits_per_dim"] = {name: suite.mean_bits_per_dim for name, suite in suites.items()}
    if training_args.process_index == 0:
        _publish(Path(training_args.output_dir), results, sets)
    return results


class DensitySuite(OODSuite):
    """Evaluates `bits_per_dim`, and each correction of it as a score of its own.

    Args:
        corrections: `{score: {"in_distribution": (n,), corpus: (m,), …}}`, in bits a dimension; what is subtracted.
        args: of the run.

    Attributes:
        mean_bits_per_dim: of the in-distribution test set and each corpus in the last evaluation.
    """

    def __init__(self, corrections: Mapping[str, Mapping[str, np.ndarray]], args: OETrainingArguments):
        super().__init__(("bits_per_dim",), args.recall_level, args.ood_base_rate, args.ood_trials, args.seed)
        self.corrections = corrections
        self.mean_bits_per_dim: dict[str, float] = {}

    def evaluate_logits(
        self,
        logits: Outputs,
        corpora: Mapping[str, Outputs],
        labels: np.ndarray | None = None,
        detected: ScoreTable | None = None,
    ) -> OODResults:
        """Evaluates bits a dimension `(examples,)` of the in-distribution test set and of each corpus."""
        results = super().evaluate_logits(logits, corpora, labels, detected)
        bits = results.scores["bits_per_dim"]
        self.mean_bits_per_dim.update({corpus: float(np.mean(values)) for corpus, values in bits.items()})
        corrected = {
            score: {corpus: likelihood_ratio(values, correction[corpus]) for corpus, values in bits.items()}
            for score, correction in self.corrections.items()
        }
        all_scores = self.evaluate_scores({**results.scores, **corrected})
        all_scores.figures["bits_per_dim"] = self.mean_bits_per_dim["in_distribution"]
        return all_scores


def _corrections(
    args: DensityExperimentArguments, training_args: OETrainingArguments, sets: Mapping[str, Dataset]
) -> dict[str, dict[str, np.ndarray]]:
    """What the scores `input_complexity` and `likelihood_ratio` subtract, for every example of every set."""

    def of_all(bits: Any) -> dict[str, np.ndarray]:
        batch_size = training_args.per_device_eval_batch_size
        return {name: collect_logits(bits, dataset, batch_size)[0] for name, dataset in sets.items()}

    def compressed(batch: Mapping[str, Any]) -> np.ndarray:
        return compressed_bits_per_dim(_to_bytes(batch["pixel_values"]))

    corrections = {"input_complexity": of_all(compressed)}
    if args.background:
        background = PixelCNNPPModel.from_pretrained(args.background).to(training_args.device).eval()
        corrections["likelihood_ratio"] = of_all(
            lambda batch: background(batch["pixel_values"].to(background.device)).bits_per_dim
        )
    return corrections


def _to_bytes(pixels: torch.Tensor) -> np.ndarray:
    """Pixels in [-1, 1] as uint8; noise, which lies between the levels, is rounded."""
    return ((pixels + 1) * 127.5).round().to(torch.uint8).numpy()


def _new_model(args: DensityExperimentArguments, train: Dataset) -> PixelCNNPPModel:
    """A model with data-dependent initialisation from a random batch of the training set."""
    names = ("image_size", "filters", "blocks", "mixtures", "dropout")
    model = PixelCNNPPModel(PixelCNNPPConfig(**{name: getattr(args, name) for name in names}))
    chosen = torch.randperm(len(train))[:100].tolist()
    model.initialize_from_batch(torch.stack([train[index]["pixel_values"] for index in chosen]))
    return model


class DensityTrainer(OETrainer):
    """An `OETrainer` with the schedule and the averaging of PixelCNN++, and a suite of its own."""

    def __init__(self, experiment_args: DensityExperimentArguments, suite: OODSuite, **settings: Any):
        super().__init__(**settings, callbacks=[PolyakAveraging(experiment_args.polyak_decay)])
        self.suite = suite
        self._decay = experiment_args.learning_rate_decay

    def create_scheduler(
        self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None
    ) -> torch.optim.lr_scheduler.LRScheduler:
        """The decay of the learning rate at each step, after a warm-up, unless `lr_scheduler_type` names another one.

        Adam starts anew with the outliers, and its first steps are long enough to undo much of a baseline.
        """
        if self.args.lr_scheduler_type != "constant":
            return super().create_scheduler(num_training_steps, optimizer)
        if self.lr_scheduler is None:
            warmup = self.args.get_warmup_steps(num_training_steps)
            self.lr_scheduler = LambdaLR(
                optimizer or self.optimizer, lambda step: min(1.0, (step + 1) / (warmup + 1)) * self._decay**step
            )
        return self.lr_scheduler


def _publish(output_dir: Path, results: Mapping[str, Any], sets: Mapping[str, Dataset]) -> None:
    """Adds the bits a dimension to the results, and to the report what each pixel scores (Figure 2 of the paper)."""
    write_results(output_dir / "ood_results.json", results)
    for stage, means in results["bits_per_dim"].items():
        print(f"Bits/dim, {stage}: " + ", ".join(f"{corpus} {mean:.3f}" for corpus, mean in means.items()))
    pixels = torch.stack([dataset[0]["pixel_values"] for dataset in sets.values()])
    with torch.inference_mode():
        bits = -PixelCNNPPModel.from_pretrained(str(output_dir)).eval()(pixels).per_pixel / math.log(2)
    try:
        plot_heat_maps(_to_bytes(pixels), bits.numpy(), output_dir / HEAT_MAPS, list(sets))
    except ImportError as error:
        logger.warning("The heat maps are left out. %s", error)
        return
    write_report([output_dir], output_dir / "report.html")
