"""Longer sections of the model card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..config import oe_score, oe_settings
from ..data.corpora import CorpusInfo, list_corpora
from ..data.decontaminate import DecontaminationReport, Match
from ..data.packaged import PACKAGED

SCORE_EXPRESSIONS = {
    "msp": "-logits.softmax(-1).amax(-1)",
    "kl_uniform": "logits.mean(-1) - logits.logsumexp(-1)",
    "max_logit": "-logits.amax(-1)",
    "energy": "-logits.logsumexp(-1)",
}
"""The scores of `hf_oe.scores` for a reader who does not have hf_oe."""

_AUTO_CLASSES = {
    "image": ("AutoImageProcessor", "AutoModelForImageClassification"),
    "text": ("AutoTokenizer", "AutoModelForSequenceClassification"),
}


def task_of(model: Any) -> str:
    """The model's task, by its name on the Hub."""
    if oe_score(model) == "bits_per_dim":
        return "unconditional-image-generation"
    if model.get_output_embeddings() is not None:
        return "text-generation"
    return "image-classification" if model.main_input_name == "pixel_values" else "text-classification"


def usage(model: Any, name: str, task: str) -> str:
    """How to use the model: with hf_oe, and for a classifier also with nothing but transformers."""
    if task == "unconditional-image-generation":
        return _density_usage(name)
    if task == "text-generation":
        return _guard_usage(model, name)
    modality = task.partition("-")[0]
    example = '"photograph.jpg"' if modality == "image" else '"a sentence"'
    processor, auto_class = _AUTO_CLASSES[modality]
    own_code = getattr(model.config, "auto_map", None) or model._auto_class
    trust = ", trust_remote_code=True" if own_code else ""
    inputs = "image" if modality == "image" else "text"
    lines = [
        "## How to use it",
        "With hf_oe installed (`pip install hf_oe`):",
        f"""```python
from hf_oe import pipeline

detector = pipeline("ood-{modality}-classification", model="{name}")
detector({example})  # {{"label": …, "score": …, "anomaly_score": …, "is_anomalous": …}}
```""",
        "Without it" + (", with the model's own code, which travels in this repository:" if own_code else ":"),
        f"""```python
from transformers import {processor}, {auto_class}

processor = {processor}.from_pretrained("{name}"{trust})
model = {auto_class}.from_pretrained("{name}"{trust})
logits = model(**processor({inputs}, return_tensors="pt")).logits
{_score_lines(model)}```""",
    ]
    return "\n\n".join(lines)


def _density_usage(name: str) -> str:
    return f"""## How to use it

With the model's own code, which travels in this repository:

```python
from transformers import AutoModel

model = AutoModel.from_pretrained("{name}", trust_remote_code=True)
anomaly_score = model(pixel_values).bits_per_dim  # pixels / 127.5 - 1, (batch, channels, height, width)
images = model.sample(16)
```"""


def _guard_usage(model: Any, name: str) -> str:
    trust = ", trust_remote_code=True" if getattr(model.config, "auto_map", None) or model._auto_class else ""
    return f"""## How to use it

With hf_oe installed (`pip install hf_oe`):

```python
from hf_oe import pipeline

guard = pipeline("ood-text-guard", model="{name}"{trust})
guard("a sentence")  # {{"anomaly_score": …, "is_anomalous": …, "tokens": [{{"text": …, "score": …}} …]}}
```

The score of a text is the mean over its tokens, each scored from the logits that predict it. Give a `threshold` to
have texts flagged: `hf_oe.threshold.threshold_at_fpr` finds it from the scores of texts that are normal."""


def _score_lines(model: Any) -> str:
    expression = SCORE_EXPRESSIONS.get(oe_score(model))
    if expression is None:
        return ""
    threshold = oe_settings(model).get("threshold")
    flag = 'is_anomalous = anomaly_score >= model.config.oe["threshold"]["value"]\n' if threshold else ""
    return f"anomaly_score = {expression}  # {oe_score(model)}, higher for more anomalous\n{flag}"


def training_data(corpora: Sequence[tuple[str, str, str | None]]) -> tuple[str, list[str]]:
    """A table of what the model was trained on, and the Hub ids among it.

    Args:
        corpora: (name, role, revision) of each set.
    """
    known = list_corpora()
    lines = ["| Set | Role | What it is | Licence | Home |", "| --- | --- | --- | --- | --- |"]
    hub_ids = []
    for name, role, revision in corpora:
        description, licence, home = _facts(name, known.get(name))
        lines.append(f"| {name} | {role} | {description} | {licence} | {home}{f' @ {revision}' if revision else ''} |")
        if name in known and known[name].hub:
            hub_ids.append(known[name].hub.repo)
    if not corpora:
        return "", []
    return "\n".join(["## Training data and its licences", "", *lines]), list(dict.fromkeys(hub_ids))


def _facts(name: str, info: CorpusInfo | None) -> tuple[str, str, str]:
    """Description, licence and home, for a cell each."""
    if info is not None:
        return info.description, info.licence, f"[{info.home}]({info.homepage})"
    if name in PACKAGED:
        return PACKAGED[name].partition(": ")[2], "those of the packages that hold it", "installed packages"
    return "not one of hf_oe's corpora", "ask its owner", "not public, or not known"


def decontamination(reports: Mapping[str, Mapping[str, Any]]) -> str:
    """What was removed from each outlier set, from the reports in `ood_results.json`."""
    parts = []
    for name, report in reports.items():
        matches = [Match(**match) for match in report["matches"]]
        markdown = DecontaminationReport(**{**report, "matches": matches}).to_markdown()
        parts.append(markdown.replace("## Decontamination of the outliers", f"## Decontamination of {name}").strip())
    return "\n\n".join(parts)
