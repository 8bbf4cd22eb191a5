"""`python -m hf_oe.demo MODEL`: a page where a person drops an image or a text and sees whether the model knows it.

`--space FOLDER` writes the files of a Hugging Face Space with that page instead. Needs `hf_oe[demo]`.
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image
from transformers import AutoConfig
from transformers.utils import cached_file

from .config import oe_score, oe_settings, oe_temperature
from .inputs import read_image
from .pipelines import OODClassificationPipeline, pipeline
from .suite import collect_logits, predictor

if TYPE_CHECKING:
    import gradio
    from matplotlib.figure import Figure

_NORMAL, _ANOMALOUS, _UNKNOWN = "#1f5fae", "#c7611c", "#6b7280"


def load_detector(
    model: str, trust_remote_code: bool = False
) -> tuple[OODClassificationPipeline, dict[str, Any] | None]:
    """The pipeline of a saved model, and the histogram of in-distribution scores in its `ood_results.json`, if any.

    Args:
        model: folder or Hub id of an image or a text classifier.
    """
    config = AutoConfig.from_pretrained(model, trust_remote_code=trust_remote_code)
    is_text = any("SequenceClassification" in name for name in config.architectures or ())
    task = "ood-text-classification" if is_text else "ood-image-classification"
    detector = pipeline(task, model=model, trust_remote_code=trust_remote_code)
    path = cached_file(
        model,
        "ood_results.json",
        _raise_exceptions_for_missing_entries=False,
        _raise_exceptions_for_connection_errors=False,
    )
    histogram = json.loads(Path(path).read_text(encoding="utf-8")).get("histogram") if path else None
    return detector, histogram if histogram and histogram["score"] == oe_score(detector.model) else None


def examine(
    detector: OODClassificationPipeline, histogram: Mapping[str, Any] | None, source: Any
) -> tuple[str, Figure | None]:
    """What the page shows of one input: a text in Markdown, and its score on the in-distribution histogram.

    An input that will not do (not an image, damaged, too large, blank) gives a sentence and no figure.
    """
    if source is None:
        return "Drop a file first.", None
    try:
        logits, _ = collect_logits(predictor(detector.model), [source], data_collator=detector.data_collator)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that there is no threshold, the verdict says
            result = detector(source)
    except ValueError as error:
        # Of the path, only the name means anything to the person.
        return f"**This will not do.** {str(error).replace(str(source), Path(str(source)).name)}", None
    shifted = np.exp(logits[0] - logits[0].max())
    threshold = _stored_threshold(detector)
    lines = [
        f"| Label | **{result['label']}** |",
        "| --- | ---: |",
        f"| Confidence before calibration | {shifted.max() / shifted.sum():.1%} |",
        f"| Confidence after calibration (temperature {oe_temperature(detector.model):.3g}) | {result['score']:.1%} |",
        f"| Anomaly score (`{oe_score(detector.model)}`) | {result['anomaly_score']:.4g} |",
    ]
    if histogram:
        share = _share_below(histogram, result["anomaly_score"])
        lines.append(f"| More anomalous than | {share:.0%} of in-distribution examples |")
    if threshold is not None:
        lines.append(f"| Flagged from | {threshold:.4g} |")
    text = "\n".join([_verdict(result, threshold), "", *lines])
    return text, _figure(histogram, result["anomaly_score"], threshold) if histogram else None


def _stored_threshold(detector: OODClassificationPipeline) -> float | None:
    stored = oe_settings(detector.model).get("threshold")
    return stored["value"] if stored else None


def _verdict(result: Mapping[str, Any], threshold: float | None) -> str:
    if threshold is None:
        return "## No verdict\nThe model has no threshold: fit one with `hf_oe.fit_threshold`."
    if result["is_anomalous"]:
        return "## Anomalous\nThis is unlike what the model was trained on: do not rely on the label."
    return "## Normal\nThis is like what the model was trained on."


def _share_below(histogram: Mapping[str, Any], score: float) -> float:
    """The share of in-distribution scores below `score`, as finely as the bins tell."""
    cumulative = np.concatenate([[0], np.cumsum(histogram["counts"])])
    return float(np.interp(score, histogram["edges"], cumulative / cumulative[-1]))


def _figure(histogram: Mapping[str, Any], score: float, threshold: float | None) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 2.6), layout="constrained")
    axes = figure.subplots()
    heights = np.sqrt(np.array(histogram["counts"]) / sum(histogram["counts"]))
    axes.stairs(heights, histogram["edges"], fill=True, color="#aab0b7", label="in-distribution examples")
    colour = _UNKNOWN if threshold is None else _ANOMALOUS if score >= threshold else _NORMAL
    axes.axvline(score, color=colour, linewidth=2.5, label="this input")
    if threshold is not None:
        axes.axvline(threshold, color="0.2", linewidth=1, linestyle="--", label="threshold")
    axes.set(xlabel=f"Anomaly score ({histogram['score']})", ylabel="Share, square root", yticks=())
    axes.spines[["top", "right", "left"]].set_visible(False)
    figure.legend(loc="outside upper center", ncols=3, frameon=False, fontsize=9)
    return figure


def build(model: str, trust_remote_code: bool = False) -> gradio.Blocks:
    """The page for a saved model; `.launch()` serves it.

    Raises `ImportError` without the extra `[demo]`.
    """
    try:
        import gradio
    except ModuleNotFoundError as error:
        raise ImportError("The demo needs gradio: install it with `pip install hf_oe[demo]`.") from error
    detector, histogram = load_detector(model, trust_remote_code)
    title = Path(model).name
    with gradio.Blocks(title=title, analytics_enabled=False) as page:
        gradio.Markdown(f"# {title}\nA classifier that says when it does not know. Higher scores are more anomalous.")
        with gradio.Row():
            with gradio.Column(min_width=280):
                if detector.column == "image":
                    # A file, not an image: what is no image reaches us, and gets a sentence.
                    source = gradio.File(label="Image", type="filepath", elem_id="source")
                    preview = gradio.Image(label="What was dropped", interactive=False, height=240)
                else:
                    source = gradio.Textbox(label="Text", lines=5, elem_id="source")
                button = gradio.Button("Examine", variant="primary")
            with gradio.Column(min_width=280):
                answer = gradio.Markdown(elem_id="answer")
                figure = gradio.Plot(show_label=False)

        def respond(given: Any) -> tuple[Any, ...]:
            return examine(detector, histogram, given)

        gradio.on([button.click], respond, source, [answer, figure])
        if detector.column == "image":
            source.change(respond, source, [answer, figure])
            source.change(_thumbnail, source, preview)
    return page


def _thumbnail(path: str | None) -> Any:
    """The picture, reduced, or enlarged pixel by pixel where it is tiny; nothing where there is none to show."""
    try:
        image = read_image(path)
    except ValueError:
        return None
    image.thumbnail((480, 480))
    enlarged = max(1, 240 // max(image.size))
    return image.resize((image.width * enlarged, image.height * enlarged), Image.Resampling.NEAREST)


def write_space(model: str, folder: str | Path) -> None:
    """Writes `app.py`, `requirements.txt` and `README.md` of a Space that shows a model of the Hub."""
    import gradio

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    files = {
        "app.py": f'from hf_oe.demo import build\n\nbuild("{model}").launch()\n',
        "requirements.txt": "hf_oe[demo]\n",
        "README.md": (
            f"---\ntitle: {model.split('/')[-1]}\nemoji: 🔭\nsdk: gradio\nsdk_version: {gradio.__version__}\n"
            f"app_file: app.py\nmodels:\n- {model}\ntags:\n- outlier-exposure\n---\n\n"
            f"Drop an image or a text and see whether [{model}](https://huggingface.co/{model}) knows it.\n"
        ),
    }
    for name, content in files.items():
        (folder / name).write_text(content, encoding="utf-8")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser("python -m hf_oe.demo", description="Show a detector on a page of its own.")
    parser.add_argument("model", help="folder or Hub id of a saved classifier")
    parser.add_argument("--port", type=int, help="by default the first free one from 7860")
    parser.add_argument(
        "--trust_remote_code", action="store_true", help="run code that a model of others brings along"
    )
    parser.add_argument("--space", metavar="FOLDER", help="write the files of a Hugging Face Space instead")
    options = parser.parse_args(arguments)
    try:
        if options.space:
            write_space(options.model, options.space)
            print(
                f"The Space is in {options.space}: `hf upload USER/NAME {options.space} --repo-type space` pushes it."
            )
        else:
            page = build(options.model, options.trust_remote_code)
            page.launch(server_name="127.0.0.1", server_port=options.port, max_file_size="100mb")
    except (ImportError, OSError, ValueError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
