"""Writes the report of a run, or of several runs side by side: `python -m hf_oe.report RUN [RUN …]`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from .page import write_report


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m hf_oe.report", description=__doc__)
    parser.add_argument("runs", nargs="+", metavar="RUN", help="Output folder of a finished run.")
    parser.add_argument(
        "--output", help="File to write (default: report.html in the folder of a single run, else in the current one)."
    )
    arguments = parser.parse_args(argv)
    try:
        print(write_report(arguments.runs, arguments.output))
    except (OSError, ValueError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
