"""All benchmarks, one after another, as one table.

python -m tests.benchmarks [--data_dir ../shared/data] [--only detection images] [--output table.md]

A benchmark is a module `bench_<name>` with a function `results(data_dir)` that yields `Result`s; `data_dir` is `None`
if none is given, and a benchmark that needs it then yields nothing.
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from hf_oe.files import replacing

from .results import results_in_a_process, table


def benchmarks() -> dict[str, ModuleType]:
    """The modules of this package that yield results, by name."""
    names = [module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)])]
    modules = {
        name.removeprefix("bench_"): importlib.import_module(f".{name}", __package__)
        for name in names
        if name.startswith("bench_")
    }
    return {name: module for name, module in modules.items() if hasattr(module, "results")}


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = benchmarks()
    parser.add_argument("--data_dir", type=Path, help="folder of corpora as parquet files")
    parser.add_argument("--only", nargs="+", choices=known, default=list(known))
    parser.add_argument("--output", type=Path, help="Markdown file for the table")
    arguments = parser.parse_args(argv)
    rows = []
    for name in arguments.only:
        print(f"{name} …", file=sys.stderr, flush=True)
        rows += [(name, result) for result in results_in_a_process(known[name].__name__, arguments.data_dir)]
    print(table(rows))
    if arguments.output:
        with replacing(arguments.output) as temporary:
            temporary.write_text(table(rows) + "\n", encoding="utf-8")
    sys.exit(not all(result.holds for _, result in rows))


if __name__ == "__main__":
    main()
