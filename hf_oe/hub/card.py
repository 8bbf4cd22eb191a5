"""The model card: what the model detects, how well, what it was trained on, and how to use it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from ..config import oe_score, oe_settings, oe_temperature
from ..files import replacing
from ..report import results_table
from ..suite import ERROR_DETECTION
from .sections import decontamination, task_of, training_data, usage

TAGS = ("hf_oe", "outlier-exposure", "anomaly-detection", "out-of-distribution-detection")

_QUALITY = {"text-generation": "perplexity", "unconditional-image-generation": "bits_per_dim"}
"""Metric of how good a model is at its own task, where that is not accuracy."""

_LIMITS = """## Limits

The figures hold for the test corpora of the table; other anomalies may be easier or harder, and a threshold flags
the share of inputs that it promises only while these resemble the data it was chosen on. A corpus that shares a
trivial cue with the outliers, such as compression or size, looks easier than it is. An input that is not flagged is
not thereby classified correctly: see the test error."""

_CITATION = """## Citation

```bibtex
@inproceedings{hendrycks2019oe,
  title={Deep Anomaly Detection with Outlier Exposure},
  author={Hendrycks, Dan and Mazeika, Mantas and Dietterich, Thomas},
  booktitle={International Conference on Learning Representations},
  year={2019}
}
```"""


def write_model_card(path: str | os.PathLike, model: Any, results: Mapping[str, Any] | None = None, **settings: Any):
    """Writes the card to `path`; the arguments are those of `model_card`."""
    card = model_card(model, results, **settings)
    with replacing(path) as temporary:
        card.save(temporary)


def model_card(
    model: Any,
    results: Mapping[str, Any] | None = None,
    *,
    name: str | None = None,
    table: str | None = None,
    figures: Mapping[str, str] | None = None,
    **metadata: Any,
) -> ModelCard:
    """A card from what the model's config and the results say.

    Args:
        model: a classifier, a causal language model or a density model of images; `OETrainer` and `fit_threshold`
            have written to its config.
        results: what `ood_results.json` holds.
        name: Hub id under which the examples load the model; its last part is the title.
        table: the results as Markdown, by default `hf_oe.report.results_table`.
        figures: file names, relative to the card, by caption.
        metadata: as `huggingface_hub.ModelCardData` takes it; replaces what is found out here.
    """
    settings = oe_settings(model)
    in_distribution = (results or {}).get("in_distribution", "its training data")
    name = name or f"{in_distribution}-outlier-exposure"
    task = task_of(model)
    is_classifier = task.endswith("-classification")
    corpora = [(in_distribution, "in-distribution", None)] if results else []
    corpora += [(entry["name"], "outliers", entry.get("revision")) for entry in settings.get("outliers", [])]
    data_section, datasets = training_data(corpora)
    data = {
        "model_name": name.split("/")[-1],
        "library_name": "transformers",
        "pipeline_tag": task,
        "tags": list(TAGS),
        "metrics": [_QUALITY.get(task, "accuracy"), "roc_auc"],
        "datasets": datasets or None,
        "base_model": _base_model(model),
        "eval_results": evaluations(results, task) if results else None,
        **metadata,
    }
    if results and table is None:
        table = results_table(results)
    sections = [
        f"# {name.split('/')[-1]}",
        _introduction(model, task, in_distribution, settings),
        usage(model, name, task),
        _threshold(settings) if is_classifier else "",
        (table or "").strip(),
        "\n\n".join(f"![{caption}]({file})" for caption, file in (figures or {}).items()),
        _temperature(model),
        data_section,
        decontamination((results or {}).get("decontamination") or {}),
        _LIMITS,
        _CITATION,
    ]
    text = "\n\n".join(section for section in sections if section)
    return ModelCard(f"---\n{ModelCardData(**data).to_yaml()}\n---\n\n{text}\n")


def evaluations(results: Mapping[str, Any], task: str) -> list[EvalResult]:
    """The last stage's figures as the Hub shows them: accuracy, each corpus, and the means."""
    stage = list(results["test_error"])[-1]
    in_distribution = results["in_distribution"]
    known = {"task_type": task, "dataset_type": in_distribution, "dataset_name": in_distribution}
    found = []
    if results["test_error"][stage] is not None:
        accuracy = 1 - results["test_error"][stage]
        found.append(EvalResult(metric_type="accuracy", metric_name="Accuracy", metric_value=accuracy, **known))
    level = f"{100 * results['recall_level']:g}"
    metrics = (
        ("auroc", "roc_auc", "AUROC"),
        ("aupr", "average_precision", "AUPR"),
        ("fpr", "false_positive_rate", f"FPR at {level} % recall"),
    )
    for row in [*results["rows"], *results["mean"]]:
        corpus = row.get("corpus")
        if row["stage"] != stage or corpus == ERROR_DETECTION:
            continue
        # The Hub groups figures by the type of the dataset, so each corpus is one.
        against = {"dataset_type": corpus, "dataset_name": f"{in_distribution} against {corpus}"} if corpus else {}
        scored = f"score {row['score']}" + ("" if corpus else ", mean over the corpora")
        for metric, kind, label in metrics:
            where = {**known, **against}
            found.append(
                EvalResult(metric_type=kind, metric_name=f"{label}, {scored}", metric_value=row[metric], **where)
            )
    return found


def _base_model(model: Any) -> str | None:
    """The Hub id that the model was loaded from; a folder is none."""
    origin = getattr(model.config, "_name_or_path", "") or ""
    return origin if re.fullmatch(r"[\w-][\w.-]*/[\w.-]+", origin) and not os.path.exists(origin) else None


def _subject(model: Any, task: str, in_distribution: str) -> str:
    if task == "text-generation":
        return f"A language model of {in_distribution} that flags text which is unlike it."
    if task == "unconditional-image-generation":
        return f"A density model of {in_distribution} that flags images which are unlikely."
    labels = list(model.config.id2label.values())
    classes = ", ".join(map(str, labels[:10])) + (f" and {len(labels) - 10} more" if len(labels) > 10 else "")
    article = "An image" if task == "image-classification" else "A text"
    return (
        f"{article} classifier of {in_distribution} ({len(labels)} classes: {classes}) that flags inputs which are "
        "none of these."
    )


def _introduction(model: Any, task: str, in_distribution: str, settings: Mapping[str, Any]) -> str:
    subject = _subject(model, task, in_distribution)
    text = f"{subject} Its anomaly score is `{oe_score(model)}`, higher for more anomalous."
    if not settings.get("outliers"):
        return f"{text} It was not trained with outliers: it is a baseline."
    outliers = ", ".join(entry["name"] for entry in settings["outliers"])
    lesson = "they must be unlikely" if task == "unconditional-image-generation" else "on them it must be unsure"
    return (
        f"{text} It was exposed to outliers ({outliers}) with the objective `{settings['objective']}`, weight "
        f"{settings['outlier_weight']:g}, after *Deep Anomaly Detection with Outlier Exposure* (Hendrycks, Mazeika "
        f"and Dietterich, ICLR 2019): {lesson}, and so it is with anomalies it has never seen."
    )


def _threshold(settings: Mapping[str, Any]) -> str:
    threshold = settings.get("threshold")
    if not threshold:
        return (
            "No threshold is stored: choose one on your own data with `hf_oe.fit_threshold(detector, in_distribution, "
            "target_fpr=0.05)`, which takes a list of inputs that are normal."
        )
    of = "in-distribution examples" if threshold["target"] == "fpr" else "anomalies"
    return (
        f"An input is flagged if its score `{threshold['score']}` is at least {threshold['value']:.6g} "
        f"({threshold['confidence']:.0%} interval {threshold['low']:.6g} to {threshold['high']:.6g}). The threshold "
        f"was chosen to flag {threshold['target_value']:.2%} of {of} and flags {threshold['achieved']:.2%} of the "
        f"{threshold['examples']:,} held-out ones that it was chosen on."
    )


def _temperature(model: Any) -> str:
    if "temperature" not in oe_settings(model):
        return ""
    return (
        "## Calibration\n\n"
        f"Confidences are those of the softmax at temperature {oe_temperature(model):.4g}, which was fitted on "
        "held-out in-distribution examples and is stored in `config.oe`. Anomaly scores are of the logits as they are."
    )
