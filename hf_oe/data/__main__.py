"""`python -m hf_oe.data`: lists the corpora, tells about one, or prepares some for machines without a network."""

from __future__ import annotations

import argparse
import sys

from ..registry import nearest_names
from .corpora import CorpusInfo, list_corpora, list_own, locate_corpus, prepare_corpora


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m hf_oe.data", description=__doc__.partition(": ")[2])
    commands = parser.add_subparsers(dest="command", required=True)
    folder = argparse.ArgumentParser(add_help=False)
    folder.add_argument("--data_dir", help="Folder looked at before the public homes (default: HF_OE_DATA_DIR).")
    commands.add_parser("list", parents=[folder], help="All corpora, and which are on this machine.")
    info = commands.add_parser("info", parents=[folder], help="Licence, citation, home and checksums of one corpus.")
    info.add_argument("name")
    prepare = commands.add_parser(
        "prepare", parents=[folder], help="Write corpora as parquet files; repeat the call to resume it."
    )
    prepare.add_argument("names", nargs="+", metavar="NAME")
    prepare.add_argument("--output", required=True, help="Folder to write <name>/<split>.parquet into.")
    prepare.add_argument("--splits", nargs="+", help="Only these splits (default: all).")
    return parser


def _list(data_dir: str | None) -> None:
    header = ("name", "role", "modality", "splits", "on this machine")
    rows = [header, *(_row(info, data_dir) for info in list_corpora().values())]
    rows += [(name, "your own", "", ", ".join(splits), "data_dir") for name, splits in list_own(data_dir).items()]
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _row(info: CorpusInfo, data_dir: str | None) -> tuple[str, ...]:
    splits = [split if size is None else f"{split} {size:,}" for split, size in info.splits.items()]
    found = {split: locate_corpus(info.name, split, data_dir) for split in info.splits}
    present = [f"{split}: {place}" for split, place in found.items() if place]
    return info.name, ", ".join(info.roles), info.modality, ", ".join(splits), "; ".join(present) or "-"


def _info(name: str, data_dir: str | None) -> None:
    corpora = list_corpora()
    if name not in corpora:
        near = nearest_names(name, list(corpora))
        sys.exit(f"Unknown corpus {name!r}: {near}The known ones are {', '.join(corpora)}.")
    info = corpora[name]
    print(f"{info.name}: {info.description}")
    for title, value in {
        "role": ", ".join(info.roles),
        "modality": info.modality,
        "splits": ", ".join(f"{split} ({size or 'size unknown'})" for split, size in info.splits.items()),
        "licence": info.licence,
        "citation": info.citation,
        "homepage": info.homepage,
        "home": info.home,
        "checksums": ", ".join(f"{file} {checksum}" for file, checksum in info.checksums.items()) or "none known",
        "notes": info.notes,
        "here": ", ".join(f"{split}: {locate_corpus(name, split, data_dir) or 'no'}" for split in info.splits),
    }.items():
        if value:
            print(f"  {title + ':':10} {value}")


def _prepare(arguments: argparse.Namespace) -> int:
    failures = prepare_corpora(arguments.names, arguments.output, arguments.data_dir, arguments.splits)
    for part, reason in failures.items():
        print(f"{part}: {reason}", file=sys.stderr)
    return 1 if failures else 0


def main(argv: list[str] | None = None) -> int:
    """Runs a command; returns the exit status, 1 if something could not be prepared."""
    arguments = _parser().parse_args(argv)
    try:
        if arguments.command == "prepare":
            return _prepare(arguments)
        if arguments.command == "info":
            _info(arguments.name, arguments.data_dir)
        else:
            _list(arguments.data_dir)
    except OSError as error:
        sys.exit(str(error))
    return 0


if __name__ == "__main__":
    sys.exit(main())
