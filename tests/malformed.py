"""Damages files and arguments at random and watches how they are refused; by hand in its full form.

python -m tests.malformed [--count 60] [--seed 0]     # so many of each kind

Each input must be taken, or refused by an error of the kinds that `is_clear` knows: none may hang, crash, raise what
only a programmer understands, or leave a half-written file behind.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import random
import signal
import sys
import tarfile
import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from pathlib import Path

import datasets
import numpy as np
import yaml
from PIL import Image
from pyarrow import ArrowInvalid
from transformers import AutoConfig

from hf_oe.data.corpora import load_source
from hf_oe.data.corpora._archives import members
from hf_oe.data.corpora._formats import read_cifar, read_conllu, read_idx, read_lines, read_npy
from hf_oe.data.images import decode, prepare_images
from hf_oe.experiments.images import parse_arguments
from hf_oe.models import create_classifier
from hf_oe.protocols.images import MNIST

SECONDS = 20


def damaged(content: bytes, rng: random.Random) -> bytes:
    """Cut short, with some bytes changed, removed, repeated or inserted."""
    content = bytearray(content)
    for _ in range(rng.choice([1, 1, 2, 5, 20])):
        place, length = rng.randrange(len(content) + 1), rng.choice([1, 1, 4, 50])
        kind = rng.choice(["change", "cut", "remove", "repeat", "insert"])
        if kind == "change":
            content[place : place + length] = rng.randbytes(len(content[place : place + length]))
        elif kind == "cut":
            del content[place:]
        elif kind == "remove":
            del content[place : place + length]
        elif kind == "repeat":
            content[place:place] = content[place : place + length]
        else:
            content[place:place] = rng.choice([b"\0" * length, b"\xff" * length, rng.randbytes(length)])
    return bytes(content)


def picture(rng: random.Random, kind: str | None = None) -> bytes:
    buffer = io.BytesIO()
    pixels = np.frombuffer(rng.randbytes(20 * 20 * 3), np.uint8).reshape(20, 20, 3)
    Image.fromarray(pixels).save(buffer, kind or rng.choice(["png", "jpeg", "gif", "bmp", "webp", "ppm", "tiff"]))
    return buffer.getvalue()


def idx(rng: random.Random) -> bytes:
    content = b"\0\0\x08\x03" + np.array([5, 4, 4], ">u4").tobytes() + rng.randbytes(80)
    return rng.choice([content, gzip.compress(content)])


def npy(rng: random.Random) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.frombuffer(rng.randbytes(10 * 8 * 8 * 3), np.uint8).reshape(10, 8, 8, 3))
    return buffer.getvalue()


def conllu(rng: random.Random) -> bytes:
    words = [f"{number}\tWörter{number}" + "\t_" * 8 for number in range(1, 8)]
    return "\n".join(["# newdoc id = weblog-1", *words, "", *words, ""]).encode()


def parquet(rng: random.Random) -> bytes:
    buffer = io.BytesIO()
    rows = {"image": [{"bytes": picture(rng, "png"), "path": None} for _ in range(4)], "label": [0, 1, 2, 3]}
    datasets.Dataset.from_dict(rows).cast_column("image", datasets.Image()).to_parquet(buffer)
    return buffer.getvalue()


def archive(rng: random.Random) -> bytes:
    buffer = io.BytesIO()
    files = {"a/1.png": picture(rng, "png"), "a/2.png": picture(rng, "png")}
    if rng.random() < 0.5:
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
            for name, content in files.items():
                file.writestr(name, content)
    else:
        with tarfile.open(fileobj=buffer, mode=rng.choice(["w", "w:gz"])) as file:
            for name, content in files.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                file.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def cifar(rng: random.Random) -> bytes:
    import pickle

    batch = {b"data": np.frombuffer(rng.randbytes(2 * 3072), np.uint8).reshape(2, 3072), b"labels": [1, 2]}
    content = damaged(pickle.dumps(batch, protocol=2), rng)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as file:
        member = tarfile.TarInfo("test_batch")
        member.size = len(content)
        file.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def settings(rng: random.Random) -> bytes:
    return yaml.safe_dump(
        {"learning_rate": 0.1, "outliers": ["a", "b"], "seed": 3, "lr_scheduler_kwargs": "{}"}
    ).encode()


def config(rng: random.Random) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        create_classifier("wrn_16_1", 10).config.save_pretrained(folder)
        return Path(folder, "config.json").read_bytes()


def read_images(path: str) -> None:
    image = decode({"bytes": Path(path).read_bytes(), "path": None})
    if not isinstance(image, Exception):
        image.convert("RGB")


def run_yaml(path: str) -> None:
    parse_arguments(MNIST, [path, "--output_dir", str(Path(path).parent / "output")])


def read_config(path: str) -> None:
    AutoConfig.from_pretrained(str(Path(path).parent), trust_remote_code=False)


def read_parquet(path: str) -> None:
    prepare_images(load_source(path, "train"), 20, max_unreadable=1.0)


FILES: dict[str, tuple[str, Callable[[random.Random], bytes], Callable[[str], object]]] = {
    "IDX": ("images-idx3-ubyte", idx, read_idx),
    "npy": ("images.npy", npy, lambda path: list(read_npy(path))),
    "CoNLL-U": ("text.conllu", conllu, lambda path: list(read_conllu(path))),
    "lines": ("text.txt", conllu, lambda path: list(read_lines(path))),
    "parquet": ("train.parquet", parquet, read_parquet),
    "archive": ("images.archive", archive, lambda path: list(members(path))),
    "CIFAR pickle": ("cifar.tar", cifar, lambda path: list(read_cifar(path, ("test_batch",)))),
    "image": ("picture.png", picture, read_images),
    "YAML": ("settings.yaml", settings, run_yaml),
    "config": ("config.json", config, read_config),
}
VALUES = ["", "-1", "0", "nan", "1e999", "{}", "[1", "ünïcode", "../..", "None", "true", "0.5", "3", "\0", "unifrom"]
NAMES = [
    "objective", "objective_kwargs", "outlier_weight", "outlier_batch_size", "score", "recall_level", "ood_trials",
    "ood_base_rate", "outlier_shuffle_block", "max_unreadable_outliers", "on_nonfinite_loss", "learning_rate",
    "per_device_train_batch_size", "protocol", "hold_out", "mode", "outliers", "outlier_shares", "no_such_argument",
]  # fmt: skip


def is_clear(error: BaseException, name: str) -> bool:
    """Whether an error says in its own words what is wrong; one about a file must name it."""
    if type(error) is SystemExit:  # argparse has printed its sentence
        return error.code == 2
    bare = (UnicodeError, ArrowInvalid, json.JSONDecodeError)
    return isinstance(error, (ValueError, OSError)) and not isinstance(error, bare) and name in str(error)


@contextmanager
def time_limit(seconds: int) -> Iterator[None]:
    def stop(number, frame):
        raise AssertionError(f"still running after {seconds} s")

    earlier = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, earlier)


def try_file(kind: str, seed: int, folder: Path) -> str:
    """How one damaged file is met: "taken", "refused", or what is wrong with the answer."""
    rng = random.Random(f"{kind} {seed}")
    name, make, read = FILES[kind]
    path = folder / name
    content = make(rng)
    path.write_bytes(content if kind == "CIFAR pickle" else damaged(content, rng))
    return _met(lambda: read(str(path)), name if kind not in ("YAML", "config") else "", folder)


def try_arguments(seed: int, folder: Path) -> str:
    """How random values for random arguments are met."""
    rng = random.Random(f"arguments {seed}")
    argv = ["--output_dir", str(folder / "output")]
    for name in rng.sample(NAMES, rng.choice([1, 1, 2, 4])):
        argv += [f"--{name}", *rng.sample(VALUES, rng.choice([1, 1, 1, 0, 2]))]
    return _met(lambda: parse_arguments(MNIST, argv), "", folder)


def _met(function: Callable[[], object], name: str, folder: Path) -> str:
    before = {path for path in folder.rglob("*") if path.is_file()}
    try:
        with time_limit(SECONDS), redirect_stderr(io.StringIO()):
            function()
        answer = "taken"
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        answer = "refused" if is_clear(error, name) else f"{type(error).__name__}: {error}"
    left = [path.name for path in folder.rglob("*") if path.is_file() and path not in before and ".tmp" in path.name]
    return f"left {left[0]}" if left else answer


def answers(kind: str, seeds: Sequence[int], folder: Path) -> dict[int, str]:
    """The answers to inputs of one kind by seed; the last kind is "arguments"."""
    found = {}
    for seed in seeds:
        own = folder / f"{seed}"
        own.mkdir()
        found[seed] = try_arguments(seed, own) if kind == "arguments" else try_file(kind, seed, own)
    return found


KINDS = [*FILES, "arguments"]


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    arguments = parser.parse_args(argv)
    datasets.disable_progress_bars()
    wrong = 0
    for kind in arguments.kinds:
        with tempfile.TemporaryDirectory() as folder:
            found = answers(kind, range(arguments.seed, arguments.seed + arguments.count), Path(folder))
        bad = {seed: answer for seed, answer in found.items() if answer not in ("taken", "refused")}
        wrong += len(bad)
        print(
            f"{kind}:", dict(Counter("wrong" if seed in bad else answer for seed, answer in found.items())), flush=True
        )
        for seed, answer in bad.items():
            print(f"    seed {seed}: {answer[:300]}")
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
