"""Kills training at random moments by SIGKILL, resumes it, and compares weights and logged losses with a whole run.

python -m tests.benchmarks.kill_resume [--kills 50] [--processes 1] [--outliers map-style stream] [--seed 0]

Every run has 200 steps and saves after each third, so that many kills fall into the writing of a checkpoint. With
several processes one of them is killed, and the others after it, as a launcher does.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from hf_oe.callbacks import SaveOnSignal
from hf_oe.checkpoints import last_good_checkpoint

from ..tiny import Vectors, outlier_stream, tiny_trainer, weights

OUTLIERS = {
    "map-style": lambda: Vectors(90, shift=-2.0, labelled=False),
    "stream": lambda: outlier_stream(90, shards=6),
}


@dataclass(frozen=True)
class Run:
    """A training run in its own processes."""

    folder: Path
    outliers: str
    processes: int
    steps: int

    def start(self) -> list[int]:
        """The process ids, of forks: they are spared the imports."""
        port = _free_port()
        return [self._fork(rank, port) for rank in range(self.processes)]

    def finish(self, pids: Sequence[int], expected: int = 0) -> None:
        """Waits for all of them; raises `RuntimeError` if one ends with another exit code than expected."""
        codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
        if set(codes) != {expected}:
            raise RuntimeError(f"The run in {self.folder} ended with {codes}: {(self.folder / 'errors').read_text()}")

    def _fork(self, rank: int, port: int) -> int:
        pid = os.fork()
        if pid:
            return pid
        code = 1
        try:
            self.folder.mkdir(exist_ok=True)
            errors = os.open(self.folder / "errors", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(errors, 1), os.dup2(errors, 2)
            if self.processes > 1:
                world = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": self.processes, "MASTER_PORT": port}
                os.environ.update({name: str(value) for name, value in world.items()}, MASTER_ADDR="127.0.0.1")
                os.environ["ACCELERATE_USE_CPU"] = "true"
            self._train(rank)
            code = 0
        except SystemExit as stopped:
            code = stopped.code
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(code)

    def _train(self, rank: int) -> None:
        settings = {"max_steps": self.steps, "save_steps": 3, "save_total_limit": 2, "logging_steps": 7}
        if self.processes > 1:
            settings["ddp_backend"] = "gloo"
        trainer = tiny_trainer(self.folder, OUTLIERS[self.outliers](), callbacks=[SaveOnSignal()], **settings)
        trainer.train(resume_from_checkpoint=last_good_checkpoint(self.folder))
        if rank == 0:
            losses = [
                {name: value for name, value in log.items() if name == "step" or "loss" in name}
                for log in trainer.state.log_history
                if "loss" in log
            ]
            torch.save({"weights": weights(trainer), "losses": json.dumps(losses)}, self.folder / "result.pt")

    def result(self) -> dict:
        return torch.load(self.folder / "result.pt", weights_only=True)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def kill(pids: Sequence[int], victim: int) -> bool:
    """Kills one process and then the others; whether the first was still running."""
    was_running = os.waitpid(pids[victim], os.WNOHANG)[0] == 0
    for pid in (pids[victim], *pids):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    for number, pid in enumerate(pids):
        if was_running or number != victim:
            os.waitpid(pid, 0)
    return was_running


def same(actual: dict, expected: dict) -> bool:
    """Whether two results have bit-identical weights and the same logged losses."""
    return actual["losses"] == expected["losses"] and all(
        torch.equal(actual["weights"][name], value) for name, value in expected["weights"].items()
    )


def kill_test(folder: Path, outliers: str, processes: int, kills: int, steps: int = 200, seed: int = 0) -> dict:
    """Counts of kills that hit, of those that left a half-written checkpoint, and of runs that came out different."""
    generator = random.Random(seed)
    whole = Run(folder / "whole", outliers, processes, steps)
    start = time.perf_counter()
    whole.finish(whole.start())
    duration, expected = time.perf_counter() - start, whole.result()
    counts = {"kills": 0, "while a checkpoint was written": 0, "different": 0}
    for attempt in itertools.count():
        if counts["kills"] == kills:
            return counts
        run = Run(folder / f"killed_{attempt}", outliers, processes, steps)
        pids = run.start()
        time.sleep(generator.uniform(0, duration))
        if not kill(pids, generator.randrange(processes)):
            continue
        counts["kills"] += 1
        counts["while a checkpoint was written"] += (run.folder / "_incomplete").exists()
        run.finish(run.start())
        counts["different"] += not same(run.result(), expected)
    raise AssertionError


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--outliers", nargs="+", choices=OUTLIERS, default=list(OUTLIERS))
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args(argv)
    torch.set_num_threads(1)
    failed = False
    for outliers in arguments.outliers:
        with tempfile.TemporaryDirectory() as folder:
            counts = kill_test(
                Path(folder), outliers, arguments.processes, arguments.kills, arguments.steps, arguments.seed
            )
        failed |= counts["different"] > 0
        print(f"{outliers}, {arguments.processes} process(es):", counts, flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
