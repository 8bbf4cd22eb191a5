"""Studies of the outlier set: how diverse it must be, and how few outliers are enough."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import datasets
from transformers import AutoConfig

from ..data.corpora import first_classes, load_source, shots_per_class
from ..files import replacing
from ..protocols.images import ImageProtocol
from .images import image_experiment, parse_arguments, run_image_experiment
from .stages import baseline_and_exposure, check_output_dir, run_stages

logger = logging.getLogger(__name__)


def diversity_study(protocol: ImageProtocol, source: str, argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Exposes one baseline to n classes of `source`, for several n, and to noise alone (section 4.5).

    Prints the table and writes `diversity.md`, `diversity.png` and one folder an outlier set into `--output_dir`.
    `--classes` gives the numbers of classes, `--noise` the noise; all other arguments are those of the protocol's
    recipe. `source` is not among the test anomalies, as in the paper. A run whose folder holds results is not
    repeated.

    Returns:
        What each run's `ood_results.json` holds, by the name of its outlier set.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--classes", nargs="+", type=int, default=[10, 30, 50, 100])
    parser.add_argument("--noise", default="gaussian")
    parser.add_argument("--output_dir", type=Path, default=Path("runs", f"{protocol.name}_diversity"))
    given, rest = parser.parse_known_args(sys.argv[1:] if argv is None else argv)
    protocol = replace(protocol, corpora=tuple(name for name in protocol.corpora if name != source))
    first = given.output_dir / given.noise
    results = {}
    for outliers in (given.noise, *given.classes):
        folder = given.output_dir / str(outliers)
        if not (folder / "ood_results.json").exists():
            start = [] if folder == first else ["--baseline", str(first / "baseline")]
            args, training_args = parse_arguments(
                protocol, ["--context_scores", "msp", *rest, *start, "--output_dir", str(folder)]
            )
            args.outliers = [given.noise]
            if folder != first:
                with training_args.main_process_first():
                    chosen = first_classes(load_source(source, "train", args.data_dir), outliers)
                    args.outliers = [_stored(chosen, folder)]
            run_image_experiment(protocol, args, training_args)
        results[str(outliers)] = json.loads((folder / "ood_results.json").read_text(encoding="utf-8"))
    table = diversity_table(results, source)
    with replacing(given.output_dir / "diversity.md") as temporary:
        temporary.write_text(table, encoding="utf-8")
    try:
        plot_diversity(results, source, given.output_dir / "diversity.png")
    except ImportError as error:
        logger.warning("The figure is left out. %s", error)
    print(table)
    return results


def _stored(chosen: datasets.Dataset, folder: Path) -> str:
    """Path of a parquet file of the chosen outliers beside the run, so that others can see which they were."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "outliers.parquet"
    if not path.exists():
        with replacing(path) as temporary:
            chosen.to_parquet(temporary)
    return str(path)


def _means(result: Mapping[str, Any], stage: str) -> Mapping[str, float]:
    return next(mean for mean in result["mean"] if mean["stage"] == stage)


def diversity_table(results: Mapping[str, Mapping[str, Any]], source: str) -> str:
    """A line for the baseline and for each outlier set: means over the anomaly corpora and test error, in percent."""
    first = next(iter(results.values()))
    lines = [
        f"| Outliers | FPR{100 * first['recall_level']:g} | AUROC | AUPR | Test error |",
        "| --- " + "| --: " * 4 + "|",
    ]
    rows = [("none", first, "baseline")]
    rows += [
        (f"{name} classes of {source}" if name.isdigit() else name, result, "oe") for name, result in results.items()
    ]
    for name, result, stage in rows:
        figures = [_means(result, stage)[metric] for metric in ("fpr", "auroc", "aupr")]
        cells = [f"{100 * figure:.2f}" for figure in (*figures, result["test_error"][stage])]
        lines.append(f"| {' | '.join([name, *cells])} |")
    return "\n".join(lines) + "\n"


def plot_diversity(results: Mapping[str, Mapping[str, Any]], source: str, path: Path) -> None:
    """Mean AUPR against the number of classes, beside the baseline's and noise's; needs matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise ImportError("Figures need matplotlib: install it with `pip install hf_oe[plots]`.") from error
    axes = Figure(figsize=(5, 3.4), layout="constrained").add_subplot()
    curve = {int(name): 100 * _means(result, "oe")["aupr"] for name, result in results.items() if name.isdigit()}
    axes.plot(list(curve), list(curve.values()), marker="o", color="#1f5fae", label=f"classes of {source}")
    noise, first = next(iter(results.items()))
    for label, stage, style in ((f"{noise} noise", "oe", "--"), ("no outliers", "baseline", ":")):
        axes.axhline(100 * _means(first, stage)["aupr"], color="#c7611c", linestyle=style, label=label)
    axes.set(xlabel="Classes in the outlier set", ylabel="Mean AUPR (%)")
    axes.legend(frameon=False)
    with replacing(path) as temporary:
        axes.figure.savefig(temporary, format="png", dpi=150)


def few_shot_experiment(protocol: ImageProtocol, source: str, argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Exposes a pretrained transformer, fine-tuned on the in-distribution set, to `--shots` outliers a class.

    All other arguments are those of an image recipe; `--objective` is "reject" unless given, as in Exploring the
    Limits of Out-of-Distribution Detection (Fort, Ren and Lakshminarayanan, NeurIPS 2021), whose score is
    the probability of the outlier classes. The size of the images is that of the model.

    Returns:
        What `ood_results.json` holds.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--shots", type=int, default=10)
    given, rest = parser.parse_known_args(sys.argv[1:] if argv is None else argv)
    args, training_args = parse_arguments(protocol, ["--objective", "reject", *rest])
    check_output_dir(training_args)
    with training_args.main_process_first():
        outliers = load_source((args.outliers or [source])[0], "train", args.data_dir)
        chosen = shots_per_class(outliers, given.shots, seed=training_args.seed)
        args.outliers = [_stored(chosen, Path(training_args.output_dir))]
    size = getattr(AutoConfig.from_pretrained(args.architecture), "image_size", protocol.image_size)
    experiment = image_experiment(replace(protocol, image_size=size), args, training_args)
    # What the paper reports for this in-distribution set is of another network and of very many outliers.
    stages = baseline_and_exposure(args, training_args)
    return run_stages(replace(experiment, published=None), stages, training_args)
