"""Checkpoints that are complete or absent: written beside their place, listed with checksums, then renamed."""

from __future__ import annotations

import errno
import json
import logging
import os
import re
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from accelerate.utils import broadcast_object_list
from transformers import Trainer
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR, TrainOutput, rotate_checkpoints

from .files import replacing

logger = logging.getLogger(__name__)

MANIFEST = "manifest.json"
"""Size and CRC-32 of every other file of a checkpoint; written last, so that its presence says that all are there."""

_STATE = "trainer_state.json"
# The underscore keeps it out of uploads to the Hub.
_INCOMPLETE = "_incomplete"


class CheckpointError(ValueError):
    """A checkpoint that was asked for cannot be used, or there is none."""


def _size_and_checksum(path: Path) -> list[int]:
    size = checksum = 0
    with open(path, "rb") as file:
        while block := file.read(1 << 22):
            size, checksum = size + len(block), zlib.crc32(block, checksum)
    return [size, checksum]


def write_manifest(folder: str | os.PathLike) -> None:
    """Lists all files of a finished checkpoint, after they have reached the disk."""
    files = {}
    for path in sorted(Path(folder).rglob("*")):
        if path.is_file() and path.name != MANIFEST:
            with open(path, "rb+") as file:
                os.fsync(file.fileno())
            files[path.relative_to(folder).as_posix()] = _size_and_checksum(path)
    with replacing(Path(folder, MANIFEST)) as temporary, open(temporary, "w", encoding="utf-8") as file:
        json.dump({"files": files}, file, indent=1)
        file.flush()
        os.fsync(file.fileno())


def checkpoint_problem(folder: str | os.PathLike) -> str | None:
    """What is wrong with a checkpoint, to stand after "it": `None` if every listed file is there and unchanged."""
    try:
        files = json.loads(Path(folder, MANIFEST).read_text(encoding="utf-8"))["files"]
    except FileNotFoundError:
        return f"has no {MANIFEST}, so it was not finished or was written by another trainer"
    except (ValueError, KeyError, TypeError, OSError):
        return f"has an unreadable {MANIFEST}"
    for name, expected in files.items():
        try:
            if (
                os.path.getsize(Path(folder, name)) != expected[0]
                or _size_and_checksum(Path(folder, name)) != expected
            ):
                return f"has a damaged file {name}"
        except OSError:
            return f"lacks the file {name}, or it cannot be read"
    return None


def last_good_checkpoint(output_dir: str | os.PathLike) -> str | None:
    """The newest `checkpoint-<step>` in a folder whose files are all there and unchanged; `None` if there is none.

    Newer ones that are damaged or unfinished are passed over with a warning each.
    """
    found = {}
    if os.path.isdir(output_dir):
        for path in Path(output_dir).iterdir():
            if path.is_dir() and (match := re.fullmatch(rf"{PREFIX_CHECKPOINT_DIR}-(\d+)", path.name)):
                found[int(match[1])] = path
    for _, path in sorted(found.items(), reverse=True):
        if (problem := checkpoint_problem(path)) is None:
            return str(path)
        logger.warning("The checkpoint %s is passed over: it %s.", path, problem)
    return None


def _chosen(output_dir: str, asked: str | bool) -> tuple[str | None, str | None]:
    """The checkpoint to resume from, or else a sentence that says why there is none."""
    if asked is True:
        checkpoint = last_good_checkpoint(output_dir)
        return checkpoint, None if checkpoint else (
            f"`resume_from_checkpoint` is True, but {output_dir!r} holds no good checkpoint: train from the start, or "
            "name a checkpoint by its path."
        )
    if not os.path.isfile(os.path.join(asked, _STATE)):
        return None, f"`resume_from_checkpoint` {str(asked)!r} is not a checkpoint: it has no {_STATE}."
    problem = checkpoint_problem(asked) if os.path.exists(os.path.join(asked, MANIFEST)) else None
    return str(asked), problem and (
        f"`resume_from_checkpoint` {str(asked)!r} cannot be used: it {problem}. Name another one, or pass True "
        "for the newest good one."
    )


@contextmanager
def _explaining_full_disk(checkpoint: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        # safetensors and torch raise errors of their own, which need not say why a file could not be written.
        is_full = (
            getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or "no space left" in str(error).lower()
        )
        if not is_full and shutil.disk_usage(os.path.dirname(checkpoint)).free > 1 << 20:
            raise
        raise OSError(
            errno.ENOSPC,
            f"The disk is full while {checkpoint} is written, of which nothing was kept; earlier checkpoints are "
            "complete: make room (`save_total_limit` keeps fewer of them) and resume.",
        ) from error


class CompleteCheckpoints(Trainer):
    """A Trainer whose checkpoints are complete or absent, and verified before training resumes from one.

    A checkpoint is written into `_incomplete/`, gets a manifest of sizes and checksums, and is renamed; only then are
    older ones pruned. `resume_from_checkpoint=True` takes the newest good one. One named by its path is verified if it
    has a manifest, and taken as it is if another trainer wrote it.

    With several nodes, `output_dir` must be shared by them, or `save_on_each_node` be set.
    """

    _is_writing_checkpoint = False

    def train(self, resume_from_checkpoint: str | bool | None = None, *args: Any, **kwargs: Any) -> TrainOutput:
        """As the Trainer's; raises `CheckpointError` if the checkpoint to resume from is damaged or missing."""
        if resume_from_checkpoint:
            choice = [None, None]
            if self.args.process_index == 0:
                choice = list(_chosen(self.args.output_dir, resume_from_checkpoint))
            resume_from_checkpoint, problem = broadcast_object_list(choice)
            if problem:
                raise CheckpointError(problem)
            self._restore(resume_from_checkpoint)
        return super().train(resume_from_checkpoint, *args, **kwargs)

    def _restore(self, checkpoint: str) -> None:
        """For subclasses: reads what they saved beside the Trainer's own files, before anything else is set up."""

    def _get_output_dir(self, trial: Any) -> str:
        folder = super()._get_output_dir(trial)
        return os.path.join(folder, _INCOMPLETE) if self._is_writing_checkpoint else folder

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        run_dir = self._get_output_dir(trial)
        incomplete = os.path.join(run_dir, _INCOMPLETE)
        name = f"{PREFIX_CHECKPOINT_DIR}-{self.state.global_step}"
        temporary, final = os.path.join(incomplete, name), os.path.join(run_dir, name)
        if self.args.should_save:
            shutil.rmtree(incomplete, ignore_errors=True)
        self.accelerator.wait_for_everyone()
        self._is_writing_checkpoint = True
        try:
            with _explaining_full_disk(final):
                super()._save_checkpoint(model, trial)
                if self.state.best_model_checkpoint == temporary:
                    self.state.best_model_checkpoint = final
                self.accelerator.wait_for_everyone()
                if self.args.should_save:
                    self.state.save_to_json(os.path.join(temporary, _STATE))
                    write_manifest(temporary)
                    _move(temporary, final)
        finally:
            self._is_writing_checkpoint = False
            if self.args.should_save:
                shutil.rmtree(incomplete, ignore_errors=True)
        self.accelerator.wait_for_everyone()
        if self.args.push_to_hub:
            self._push_from_checkpoint(final)
        if self.args.should_save:
            rotate_checkpoints(run_dir, self.args.save_total_limit, self.state.best_model_checkpoint, use_mtime=True)

    def _push_from_checkpoint(self, checkpoint_folder: str) -> None:
        # Uploads go on in the background, so they must wait for the folder to be in its place.
        if not self._is_writing_checkpoint:
            super()._push_from_checkpoint(checkpoint_folder)


def _move(temporary: str, final: str) -> None:
    """Renames a folder; one that is already there steps aside first, and goes when `_incomplete` is cleared."""
    if os.path.exists(final):
        os.rename(final, f"{temporary}.old")
    os.rename(temporary, final)
    if os.name == "posix":  # elsewhere folders cannot be opened
        folder = os.open(os.path.dirname(final), os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)
