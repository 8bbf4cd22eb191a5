"""What a model takes along to the Hub: a card that says what it detects, how well, and how it came about."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from .arguments import OETrainingArguments
from .files import replacing

_CARD = """---
{metadata}
---

# {name}

A classifier of {in_distribution} that flags inputs it was never trained for. It was exposed to outliers
({outliers}) with the objective `{objective}`, weight {weight}, after *Deep Anomaly Detection with Outlier Exposure*
(Hendrycks, Mazeika and Dietterich 2018): on outliers it must be unsure, and so it is on anomalies it has never seen.

## How to use it

```python
{usage}
```

Without `hf_oe` installed, `-logits.softmax(-1).amax(-1)` is the same score.

{table}
{figures}
## Limits

The figures hold for the test corpora above, drawn at {base_rate:g} anomalies an in-distribution example; other
anomalies may be easier or harder. A corpus that shares a trivial cue with the outliers, such as compression or size,
looks easier than it is.
"""

_USAGE = {
    "image-classification": """from transformers import AutoModelForImageClassification
from hf_oe.scores import msp

model = AutoModelForImageClassification.from_pretrained("{name}", trust_remote_code=True)
anomaly_score = msp(model(pixel_values=pixel_values).logits)  # higher for more anomalous""",
    "text-classification": """from transformers import AutoModelForSequenceClassification, AutoTokenizer
from hf_oe.scores import msp

tokenizer = AutoTokenizer.from_pretrained("{name}")
model = AutoModelForSequenceClassification.from_pretrained("{name}", trust_remote_code=True)
inputs = tokenizer(texts, padding=True, return_tensors="pt")
anomaly_score = msp(model(**inputs).logits)  # higher for more anomalous""",
}


def write_model_card(
    path: str | os.PathLike,
    results: Mapping[str, Any],
    table: str,
    args: OETrainingArguments,
    outliers: Sequence[str],
    figures: Mapping[str, str],
    task: str = "image-classification",
) -> None:
    """Writes a model card with the results as text and as metadata, beside its place first.

    Args:
        results: what `ood_results.json` holds.
        table: its Markdown form, from `hf_oe.report.results_table`.
        args: of the run.
        outliers: names of the outlier sets.
        figures: file names, relative to the card, by caption.
        task: of the model, by its name on the Hub.
    """
    name = args.hub_model_id or f"{results['in_distribution']}-outlier-exposure"
    metadata = ModelCardData(
        model_name=name,
        library_name="transformers",
        pipeline_tag=task,
        tags=["hf_oe", "outlier-exposure", "anomaly-detection", "out-of-distribution-detection"],
        metrics=["accuracy", "roc_auc"],
        eval_results=_eval_results(results, task),
    )
    card = _CARD.format(
        metadata=metadata.to_yaml(),
        name=name,
        usage=_USAGE[task].format(name=name),
        in_distribution=results["in_distribution"],
        outliers=", ".join(outliers),
        objective=args.objective,
        weight=args.outlier_weight,
        base_rate=args.ood_base_rate,
        table=table,
        figures="".join(f"![{caption}]({file})\n\n" for caption, file in figures.items()),
    )
    with replacing(path) as temporary:
        ModelCard(card).save(temporary)


def _eval_results(results: Mapping[str, Any], task: str) -> list[EvalResult]:
    """The exposed model's figures as the Hub shows them: accuracy, and the mean of each detection metric."""
    in_distribution = results["in_distribution"]
    common = {
        "task_type": task,
        "dataset_type": in_distribution,
        "dataset_name": in_distribution,
    }
    evaluations = []
    if results["test_error"].get("oe") is not None:
        accuracy = 1 - results["test_error"]["oe"]
        evaluations.append(EvalResult(metric_type="accuracy", metric_value=accuracy, **common))
    for mean in results["mean"]:
        if mean["stage"] == "oe":
            for metric, kind in (("auroc", "roc_auc"), ("aupr", "average_precision"), ("fpr", "false_positive_rate")):
                label = f"{metric.upper()} against anomalies, mean ({mean['score']})"
                evaluations.append(
                    EvalResult(metric_type=kind, metric_name=label, metric_value=mean[metric], **common)
                )
    return evaluations
