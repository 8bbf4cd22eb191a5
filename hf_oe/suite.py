"""Evaluates a model as an anomaly detector: score every corpus once, then draw trials from the scores."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from . import methods  # noqa: F401  (registers the scores that go with them)
from .calibration import calibration_metrics, fit_temperature, max_softmax, rescale_confidence
from .detection import detection_metrics
from .detectors.scoring import DetectorScoring, detectors_among, fit_sample
from .files import replacing
from .scores import SCORES, further_outputs, logits_of, score_outputs

ERROR_DETECTION = "error_detection"
"""Name of the row that holds wrong against right predictions; it is no anomaly corpus and stays out of the means."""

Logits = np.ndarray
Outputs = Logits | Mapping[str, np.ndarray]
"""Logits `(examples, classes)`, or a model's outputs by name, `logits` among them, each with a row an example."""

ScoreTable = dict[str, dict[str, np.ndarray]]


@dataclass
class OODRow:
    """Detection figures of one score on one corpus: fractions of 1, mean and standard deviation over the trials."""

    score: str
    corpus: str
    fpr: float
    fpr_std: float
    fpr_at: dict[str, float]
    auroc: float
    auroc_std: float
    aupr: float
    aupr_std: float


@dataclass
class CalibrationRow:
    """Calibration errors on test examples and anomalies of one corpus, fractions of 1 (section 4.4).

    `rescaled` tells whether 0-1 posterior rescaling followed the temperature.
    """

    corpus: str
    rescaled: bool
    rms: float
    mav: float
    soft_f1: float


@dataclass
class OODResults:
    """What `OODSuite` returns.

    Attributes:
        recall_level: the recall of anomalies that `fpr` stands for.
        trials: number of draws.
        rows: a row for each score and corpus, `error_detection` among them where labels were given.
        test_error: share of misclassified in-distribution examples, or `None` without labels.
        scores: the scores themselves, `{score: {"in_distribution": (n,), corpus: (m,)}}`.
        correct: bool `(n,)`, which in-distribution examples are classified rightly, or `None` without labels.
        groups: corpora by group, see `OODSuite`.
        temperature, calibration: see `OODSuite.calibrate`; `None` and empty where no held-out examples were given.
        confidence: with that temperature and 0-1 rescaling, `{"in_distribution": (n,), corpus: (m,)}`.
        figures: what else tells how good the model is on the in-distribution test set, such as `perplexity`.
    """

    recall_level: float
    trials: int
    rows: list[OODRow]
    test_error: float | None = None
    scores: ScoreTable = field(default_factory=dict, repr=False)
    correct: np.ndarray | None = field(default=None, repr=False)
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    temperature: float | None = None
    calibration: list[CalibrationRow] = field(default_factory=list)
    confidence: dict[str, np.ndarray] = field(default_factory=dict, repr=False)
    figures: dict[str, float] = field(default_factory=dict)

    def mean(self) -> list[dict[str, Any]]:
        """For each score the means over the anomaly corpora of their own figures."""
        corpora = {row.corpus for row in self.rows} - {ERROR_DETECTION}
        return [{"score": score, **_mean(rows)} for score, rows in self._by_score(corpora)]

    def group_mean(self) -> list[dict[str, Any]]:
        """For each score and group the means over those of the group's corpora that were evaluated, and their names.

        A group of which none was evaluated is left out.
        """
        return [
            {"score": score, "group": group, "corpora": [row.corpus for row in rows], **_mean(rows)}
            for group, corpora in self.groups.items()
            for score, rows in self._by_score(corpora)
        ]

    def _by_score(self, corpora: Collection[str]) -> list[tuple[str, list[OODRow]]]:
        """For each score its rows of these corpora, if there are any."""
        scores = dict.fromkeys(row.score for row in self.rows if row.corpus in corpora)
        return [
            (score, [row for row in self.rows if row.score == score and row.corpus in corpora]) for score in scores
        ]

    def to_dict(self, stage: str | None = None) -> dict[str, Any]:
        """Rows and means as JSON-ready dictionaries, each marked with `stage` if one is given."""
        mark = {} if stage is None else {"stage": stage}
        return {
            "rows": [{**mark, **asdict(row)} for row in self.rows],
            "mean": [{**mark, **mean} for mean in self.mean()],
            "group_mean": [{**mark, **mean} for mean in self.group_mean()],
            "calibration": [{**mark, **asdict(row)} for row in self.calibration],
        }

    def metrics(self) -> dict[str, float]:
        """The figures in one flat dictionary, `ood_<corpus>_<metric>`, for logging.

        The first score's figures bear no score name; those of the others are `ood_<corpus>_<score>_<metric>`.
        """
        entries = [(row.score, row.corpus, asdict(row)) for row in self.rows]
        entries += [(mean["score"], "mean", mean) for mean in self.mean()]
        entries += [(mean["score"], f"{mean['group']}_mean", mean) for mean in self.group_mean()]
        flat = {} if self.test_error is None else {"accuracy": 1 - self.test_error}
        for score, corpus, figures in entries:
            prefix = f"ood_{corpus}" if score == self.rows[0].score else f"ood_{corpus}_{score}"
            flat.update({f"{prefix}_{metric}": figures[metric] for metric in ("fpr", "auroc", "aupr")})
        for row in self.calibration:
            if row.rescaled:
                prefix = f"calibration_{row.corpus}"
                flat.update({f"{prefix}_{metric}": getattr(row, metric) for metric in ("rms", "mav", "soft_f1")})
        return flat


def _mean(rows: Sequence[OODRow]) -> dict[str, Any]:
    mean = {key: float(np.mean([getattr(row, key) for row in rows])) for key in ("fpr", "auroc", "aupr")}
    levels = {level: float(np.mean([row.fpr_at[level] for row in rows])) for level in rows[0].fpr_at}
    return {**mean, "fpr_at": levels}


class OODSuite:
    """The paper's evaluation protocol (section 4.1): base rate 1:5, ten draws of anomalies, mean and deviation.

    Args:
        score: names of the anomaly scores to evaluate, of `SCORES` and `DETECTORS`, all from the same forward pass.
        recall_level: recalls of anomalies at which to give the false-positive rate; `fpr` is at the first.
        base_rate: anomalies per in-distribution example. A corpus that has fewer is used whole, against a draw of the
            in-distribution examples that keeps the base rate.
        trials: number of draws.
        seed: of the draws.
        groups: names of corpora by group, such as OpenOOD's "near" and "far", for means of their own.

    Example:
        >>> suite = OODSuite(score=["msp", "energy"])
        >>> results = suite.evaluate(model, test_dataset, {"textures": textures, "gaussian": gaussian})
        >>> results.mean()
    """

    def __init__(
        self,
        score: Sequence[str] = ("msp",),
        recall_level: Sequence[float] = (0.95,),
        base_rate: float = 0.2,
        trials: int = 10,
        seed: int = 0,
        groups: Mapping[str, Sequence[str]] | None = None,
    ):
        self.score = tuple(score)
        self.detectors = DetectorScoring(detectors_among(score))
        self.further_outputs = sorted(
            {output for name in score if name in SCORES for output in further_outputs(SCORES[name])}
        )
        self.recall_level = tuple(recall_level)
        self.base_rate = base_rate
        self.trials = trials
        self.seed = seed
        self.groups = dict(groups or {})

    def evaluate(
        self,
        model: torch.nn.Module | str | Callable[[Mapping[str, Any]], torch.Tensor],
        in_distribution: Dataset,
        corpora: Mapping[str, Dataset],
        batch_size: int = 256,
        device: str | torch.device | None = None,
        data_collator: Callable | None = None,
        detector_dataset: Dataset | None = None,
    ) -> OODResults:
        """Scores every example once and evaluates.

        Args:
            model: an image or text classifier, the folder or Hub id of a saved image classifier, or any callable from
                a collated batch to logits `(batch, classes)`.
            in_distribution: map-style test set, rows with the model's inputs and `labels` (or `label`), if known.
            corpora: map-style sets of anomalies by name, rows with the model's inputs.
            device: where to run a module; by default where it is.
            data_collator: from rows to a batch; by default transformers' `default_data_collator`.
            detector_dataset: labelled training examples, as the test set is transformed; detectors are fitted on a
                sample of them.
        """
        if isinstance(model, str):
            from transformers import AutoModelForImageClassification

            import hf_oe.models  # noqa: F401  (registers the models of this library)

            model = AutoModelForImageClassification.from_pretrained(model)
        predict = predictor(model, device, self.further_outputs) if isinstance(model, torch.nn.Module) else model
        if self.detectors:
            if not isinstance(model, torch.nn.Module):
                raise ValueError(f"`score` {next(iter(self.detectors.table))!r} needs a module, not a function.")
            predict = self.detectors.watched(model, predict)
            with self.detectors.collecting():
                sample = fit_sample(detector_dataset, self.seed)
                fitted_on, fitted_labels = collect_logits(predict, sample, batch_size, data_collator)
            self.detectors.fit(model, logits_of(fitted_on), fitted_labels)
        with self.detectors.scoring("in_distribution"):
            outputs, labels = collect_logits(predict, in_distribution, batch_size, data_collator)
        by_corpus = {}
        for name, dataset in corpora.items():
            with self.detectors.scoring(name):
                by_corpus[name], _ = collect_logits(predict, dataset, batch_size, data_collator)
        return self.evaluate_logits(outputs, by_corpus, labels, self.detectors.table)

    def evaluate_logits(
        self,
        logits: Outputs,
        corpora: Mapping[str, Outputs],
        labels: np.ndarray | None = None,
        detected: ScoreTable | None = None,
    ) -> OODResults:
        """Evaluates logits `(examples, classes)`; with `labels` `(examples,)` also accuracy and error detection.

        Scores that take further outputs of the model need mappings, `{"logits": …, "branch_logits": …}`; `detected`
        holds the detectors' scores, `DetectorScoring.table`.
        """
        named = {corpus: named_outputs(values) for corpus, values in {"in_distribution": logits, **corpora}.items()}
        scores: ScoreTable = {}
        for name in self.score:
            if name in self.detectors.table:
                scores[name] = (detected or {}).get(name, {})
                if set(scores[name]) != set(named):
                    raise ValueError(f"The score {name!r} is not one of logits: use `evaluate`, or give `detected`.")
            else:
                scores[name] = {corpus: score_outputs(name, outputs).numpy() for corpus, outputs in named.items()}
        wrong = None if labels is None else named["in_distribution"]["logits"].argmax(dim=-1).numpy() != labels
        return self.evaluate_scores(scores, wrong)

    def evaluate_scores(
        self, scores: Mapping[str, Mapping[str, np.ndarray]], wrong: np.ndarray | None = None
    ) -> OODResults:
        """Evaluates scores that somebody already has.

        Args:
            scores: `{score: {"in_distribution": (n,), corpus: (m,), …}}`, higher for more anomalous.
            wrong: bool `(n,)`, which in-distribution examples are misclassified; gives the test error and error
                detection.
        """
        rows = []
        for score, by_corpus in scores.items():
            normal = np.asarray(by_corpus["in_distribution"])
            for corpus, anomalous in by_corpus.items():
                if corpus != "in_distribution":
                    rows.append(self._row(score, corpus, self._trials(normal, np.asarray(anomalous))))
            if wrong is not None and 0 < wrong.sum() < len(wrong):
                rows.append(self._row(score, ERROR_DETECTION, [self._measure(normal[~wrong], normal[wrong])]))
        test_error = None if wrong is None else float(np.mean(wrong))
        table = {score: dict(by_corpus) for score, by_corpus in scores.items()}
        correct = None if wrong is None else ~np.asarray(wrong)
        return OODResults(self.recall_level[0], self.trials, rows, test_error, table, correct, self.groups)

    def calibrate(
        self,
        held_out: tuple[Logits, np.ndarray],
        logits: Logits,
        labels: np.ndarray,
        corpora: Mapping[str, Logits],
        base_rate: float = 1.0,
    ) -> tuple[float, list[CalibrationRow]]:
        """Temperature fitted on held-out examples, and calibration in the presence of each corpus (Table 7).

        Args:
            held_out: logits `(examples, classes)` and labels `(examples,)` that were not trained on.
            logits, labels: of the test set; an anomaly counts as misclassified.
            base_rate: anomalies per in-distribution example in the pool; the paper takes equally many. Where a corpus
                has fewer, fewer test examples are drawn, too.

        Returns:
            The temperature, and two rows a corpus: without and with 0-1 posterior rescaling.
        """
        temperature = fit_temperature(*held_out)
        generator = np.random.default_rng(self.seed)
        rows = []
        for corpus, anomalous in corpora.items():
            drawn = min(len(anomalous), round(len(logits) * base_rate))
            kept = generator.choice(len(logits), round(drawn / base_rate), replace=False)
            pool = np.concatenate([logits[kept], anomalous[generator.choice(len(anomalous), drawn, replace=False)]])
            right = np.concatenate([logits[kept].argmax(axis=-1) == labels[kept], np.zeros(drawn, bool)])
            stated = max_softmax(pool, temperature)
            for rescaled, confidence in ((False, stated), (True, rescale_confidence(stated, logits.shape[1]))):
                rows.append(CalibrationRow(corpus, rescaled, **calibration_metrics(confidence, right)))
        return temperature, rows

    def _measure(self, normal: np.ndarray, anomalous: np.ndarray) -> dict[str, Any]:
        return detection_metrics(normal, anomalous, recall_level=self.recall_level)

    def _trials(self, normal: np.ndarray, anomalous: np.ndarray) -> list[dict[str, Any]]:
        drawn = min(len(anomalous), max(1, round(len(normal) * self.base_rate)))
        kept = min(len(normal), max(1, round(drawn / self.base_rate)))
        generator = np.random.default_rng(self.seed)
        return [
            self._measure(
                normal if kept == len(normal) else generator.choice(normal, kept, replace=False),
                generator.choice(anomalous, drawn, replace=False),
            )
            for _ in range(self.trials)
        ]

    def _row(self, score: str, corpus: str, trials: list[dict[str, Any]]) -> OODRow:
        figures = {}
        for metric in ("fpr", "auroc", "aupr"):
            values = [trial[metric] for trial in trials]
            figures |= {metric: float(np.mean(values)), f"{metric}_std": float(np.std(values))}
        levels = {
            f"{level:g}": float(np.mean([trial["fpr_at"][level] for trial in trials])) for level in self.recall_level
        }
        return OODRow(score=score, corpus=corpus, fpr_at=levels, **figures)


def rescaled_confidence(logits: Logits, temperature: float) -> np.ndarray:
    """Maximum softmax probability at a temperature, rescaled to start at 0; float32 `(examples,)` (section 4.4.1)."""
    return rescale_confidence(max_softmax(logits, temperature), logits.shape[1]).astype(np.float32)


def named_outputs(outputs: Outputs) -> dict[str, torch.Tensor]:
    """The outputs as tensors by name; a bare array is the logits."""
    outputs = outputs if isinstance(outputs, Mapping) else {"logits": outputs}
    return {name: torch.from_numpy(np.asarray(values)) for name, values in outputs.items()}


def predictor(
    model: torch.nn.Module, device: str | torch.device | None = None, further_outputs: Sequence[str] = ()
) -> Callable:
    """A function from a collated batch to the module's logits, in evaluation mode on its device.

    With `further_outputs` it gives a mapping of the logits and of those that the module has.
    """
    if device is not None:
        model = model.to(device)
    model = model.eval()
    device = next(model.parameters()).device

    def predict(batch: Mapping[str, Any]) -> torch.Tensor | dict[str, torch.Tensor]:
        outputs = model(**{key: value.to(device, non_blocking=True) for key, value in batch.items()})
        if not further_outputs:
            return outputs["logits"]
        return {name: outputs[name] for name in ("logits", *further_outputs) if name in outputs}

    return predict


@torch.inference_mode()
def collect_logits(
    predict: Callable[[Mapping[str, Any]], torch.Tensor | Mapping[str, torch.Tensor]],
    dataset: Dataset,
    batch_size: int = 256,
    data_collator: Callable | None = None,
) -> tuple[Outputs, np.ndarray | None]:
    """Logits `(examples, classes)` of a whole dataset, in order, and its labels `(examples,)` if it has any.

    Where `predict` gives a mapping of outputs, so does this.
    """
    from transformers import default_data_collator

    outputs, labels = [], []
    for batch in DataLoader(dataset, batch_size, collate_fn=data_collator or default_data_collator):
        batch = dict(batch)
        if "labels" in batch:
            labels.append(np.asarray(batch.pop("labels")))
        predicted = predict(batch)
        named = predicted if isinstance(predicted, Mapping) else {"logits": predicted}
        outputs.append({name: torch.as_tensor(value).float().cpu().numpy() for name, value in named.items()})
    if not outputs:
        raise ValueError("`dataset` is empty: there is nothing to score.")
    joined = {name: np.concatenate([batch[name] for batch in outputs]) for name in outputs[0]}
    return (
        joined if isinstance(predicted, Mapping) else joined["logits"],
        np.concatenate(labels) if labels else None,
    )


def write_results(path: str | os.PathLike, results: Mapping[str, Any]) -> None:
    """Writes a JSON file beside its place and renames it, so that it is complete or absent."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
