"""One table of methods: each trained by its recipe's settings, before and after exposure to outliers."""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..files import replacing
from ..methods import method_of
from ..protocols.images import ImageProtocol
from .images import parse_arguments, run_image_experiment

COMPARED = ("uniform", "hard_outliers", "energy_bounded", "confidence_branch", "multilabel", "reject")
"""Objectives in the order in which they are trained; `uniform`, whose baseline others start from, is first."""

FURTHER_SCORES = {"uniform": ("kl_uniform", "energy"), "confidence_branch": ("msp",), "reject": ("msp",)}
"""Scores that are evaluated beside the objective's own: other readings of the same network."""


def compare_methods(protocol: ImageProtocol, argv: Sequence[str] | None = None) -> str:
    """Trains every method into a folder of its own below `--output_dir`, and prints and writes the table of them all.

    Methods that leave the network as it is start from one baseline. A method whose folder holds results is not trained
    again. `--methods` chooses; all other arguments are those of the protocol's recipe.

    Returns:
        The table, in Markdown; it is in `methods.md`, too.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--methods", nargs="+", default=list(COMPARED))
    parser.add_argument("--output_dir", type=Path, default=Path("runs", f"{protocol.name}_methods"))
    chosen, rest = parser.parse_known_args(sys.argv[1:] if argv is None else argv)
    results = {}
    for objective in chosen.methods:
        folder = chosen.output_dir / objective
        if not (folder / "ood_results.json").exists():
            run_image_experiment(protocol, *parse_arguments(protocol, [*_arguments(objective, folder), *rest]))
        results[objective] = json.loads((folder / "ood_results.json").read_text(encoding="utf-8"))
    table = comparison_table(results)
    with replacing(chosen.output_dir / "methods.md") as temporary:
        temporary.write_text(table, encoding="utf-8")
    print(table)
    return table


def _arguments(objective: str, folder: Path) -> list[str]:
    method = method_of(objective)
    scores = dict.fromkeys([method.score, *FURTHER_SCORES.get(objective, ())])
    arguments = ["--objective", objective, "--output_dir", str(folder), "--score", *scores]
    # No others: the table sets like beside like, before and after.
    arguments += ["--context_scores", method.score]
    shared = folder.parent / "uniform" / "baseline"
    if objective != "uniform" and not method.own_baseline and shared.exists():
        arguments += ["--baseline", str(shared)]
    return arguments


def comparison_table(results: Mapping[str, Mapping[str, Any]]) -> str:
    """A line for each objective, score and stage: means over the anomaly corpora, and test error, in percent.

    Args:
        results: what `ood_results.json` holds, by objective.
    """
    first = next(iter(results.values()))
    level = f"FPR{100 * first['recall_level']:g}"
    lines = [f"| Objective | Score | Stage | {level} | AUROC | AUPR | Test error |", f"| {'--- | ' * 3}{'--: | ' * 4}"]
    for objective, result in results.items():
        means = {(mean["score"], mean["stage"]): mean for mean in result["mean"]}
        for score, stage in itertools.product(dict.fromkeys(score for score, _ in means), result["test_error"]):
            if (score, stage) not in means:  # a score for context, of the baseline alone
                continue
            figures = [means[score, stage][metric] for metric in ("fpr", "auroc", "aupr")]
            cells = [f"{100 * figure:.2f}" for figure in (*figures, result["test_error"][stage])]
            lines.append(f"| {' | '.join([objective, score, stage, *cells])} |")
    corpora = dict.fromkeys(row["corpus"] for row in first["rows"] if row["corpus"] != "error_detection")
    return "\n".join(
        [*lines, "", f"In-distribution: {first['in_distribution']}; means over {', '.join(corpora)}.", ""]
    )
