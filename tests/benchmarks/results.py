"""The form in which all benchmarks hand over their figures, and the table of them."""

from __future__ import annotations

import importlib
import multiprocessing
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Result:
    """One figure of a benchmark.

    Attributes:
        case: what was measured.
        compared_with: the alternative of the same run.
        value: a ratio to the alternative, or a difference from it in the unit that `compared_with` names.
        at_most, at_least: the bar.
    """

    case: str
    compared_with: str
    value: float
    at_most: float | None = None
    at_least: float | None = None

    @property
    def holds(self) -> bool:
        return (self.at_most is None or self.value <= self.at_most) and (
            self.at_least is None or self.value >= self.at_least
        )

    @property
    def bar(self) -> str:
        bars = [("at most", self.at_most), ("at least", self.at_least)]
        return ", ".join(f"{words} {bar:g}" for words, bar in bars if bar is not None)


def results_in_a_process(module: str, data_dir: Path | None) -> list[Result]:
    """Of a benchmark that starts afresh: memory that an earlier one freed would speed up some of what is compared."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        return process.submit(_results, module, data_dir).result()


def _results(module: str, data_dir: Path | None) -> list[Result]:
    return list(importlib.import_module(module).results(data_dir))


def table(results: Iterable[tuple[str, Result]]) -> str:
    """A Markdown table of (benchmark, result)."""
    rows = [
        f"| {name} | {result.case} | {result.compared_with} | {result.value:.4g} | {result.bar} | "
        f"{'yes' if result.holds else '**no**'} |"
        for name, result in results
    ]
    head = ["| benchmark | case | compared with | figure | bar | met |", "| --- | --- | --- | ---: | --- | --- |"]
    return "\n".join([*head, *rows])
