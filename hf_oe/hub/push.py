"""Takes a model with all that belongs to it to the Hub, in one commit."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from huggingface_hub import CommitInfo, CommitOperationAdd, HfApi, ModelCard
from transformers import PreTrainedModel

from ..config import oe_settings
from ..report import plot_histograms, plot_roc
from ..suite import OODResults, write_results
from .card import write_model_card
from .results import describe_results, write_csv

FIGURES = {"roc.png": "ROC curves", "histograms.png": "Score histograms"}
"""Caption of each figure by the name of its file."""

_KEPT_BACK = {".bin", ".ckpt", ".npz", ".pickle", ".pkl", ".pt", ".pth", ".tmp"}


def push(
    model: PreTrainedModel | str | os.PathLike,
    repo_id: str,
    *,
    processing_class: Any = None,
    results: OODResults | Mapping[str, Any] | None = None,
    in_distribution: str = "in-distribution",
    private: bool | None = None,
    revision: str | None = None,
    create_pr: bool = False,
    token: str | None = None,
    commit_message: str = "Upload model",
    **metadata: Any,
) -> CommitInfo:
    """Pushes a model, or a folder that a recipe wrote, with card and results.

    Args:
        model: a classifier, or the folder of a saved one, which is pushed as it is.
        repo_id: "user/name"; it is created where there is none.
        processing_class: image processor or tokenizer.
        results: what `OODSuite` or `OETrainer.ood_results` gives, or the contents of an `ood_results.json`.
        in_distribution: name of the in-distribution set, for the card.
        private: whether a new repository is; by default the account's setting.
        revision: branch to commit to, made from `main` if there is none; by default `main`.
        create_pr: open a pull request instead.
        token: by default the one of `hf auth login`.
        metadata: for the card, as `huggingface_hub.ModelCardData` takes it: `license`, `language`, `datasets` …

    All files go into one commit, so that a reader finds the old model or the new one, never a mixture. A push that was
    interrupted is simply called again: what has arrived is not sent twice.

    Example:
        >>> push(model, "me/digits-that-know-their-limits", processing_class=processor, results=trainer.ood_results)
    """
    settings = {"private": private, "revision": revision, "create_pr": create_pr, "token": token}
    if isinstance(model, str | os.PathLike):
        if processing_class is not None or results is not None or metadata:
            raise ValueError(
                "A folder is pushed as it is: leave out `processing_class`, `results` and metadata, or give the model."
            )
        return push_folder(model, repo_id, commit_message=commit_message, **settings)
    if isinstance(results, OODResults):
        scores = results.scores
        stage = "oe" if oe_settings(model).get("outliers") else "baseline"
        results = describe_results(results, in_distribution, stage)
    else:
        scores = None
    with tempfile.TemporaryDirectory() as folder:
        save_for_hub(folder, model, processing_class, results=results, scores=scores, name=repo_id, **metadata)
        return push_folder(folder, repo_id, commit_message=commit_message, **settings)


def save_for_hub(
    folder: str | os.PathLike,
    model: PreTrainedModel,
    processing_class: Any = None,
    *,
    results: Mapping[str, Any] | None = None,
    scores: Mapping[str, Mapping[str, Any]] | None = None,
    name: str | None = None,
    **metadata: Any,
) -> None:
    """Writes everything that `push` takes along into a folder: weights, config, code, processor, results and card.

    Args:
        results: what `ood_results.json` holds.
        scores: `OODResults.scores`, for the figures, which need matplotlib.
        name, metadata: for the card, see `hf_oe.hub.model_card`.
    """
    model.save_pretrained(folder)
    if processing_class is not None:
        processing_class.save_pretrained(folder)
    write_results_and_card(folder, model, results=results, scores=scores, name=name, **metadata)


def write_results_and_card(
    folder: str | os.PathLike,
    model: PreTrainedModel,
    *,
    results: Mapping[str, Any] | None = None,
    scores: Mapping[str, Mapping[str, Any]] | None = None,
    name: str | None = None,
    **metadata: Any,
) -> None:
    """Adds results, figures and card to the folder of a saved model; the arguments are those of `save_for_hub`."""
    folder = Path(folder)
    figures = {}
    if results is not None:
        write_results(folder / "ood_results.json", results)
        write_csv(folder / "ood_results.csv", results)
    if scores:
        by_stage = {list(results["test_error"])[-1]: next(iter(scores.values()))}
        figures = _plot(by_stage, folder)
    write_model_card(folder / "README.md", model, results, name=name, figures=figures, **metadata)


def _plot(scores: Mapping[str, Mapping[str, Any]], folder: Path) -> dict[str, str]:
    """File names by caption; none without matplotlib or anomalies."""
    try:
        plot_roc(scores, folder / "roc.png")
        plot_histograms(scores, folder / "histograms.png")
    except ImportError:
        return {}
    return {caption: file for file, caption in FIGURES.items()}


def push_folder(
    folder: str | os.PathLike,
    repo_id: str,
    *,
    private: bool | None = None,
    revision: str | None = None,
    create_pr: bool = False,
    token: str | None = None,
    commit_message: str = "Upload model",
    run_as_future: bool = False,
) -> CommitInfo | Future[CommitInfo]:
    """Pushes the files of a saved model's folder in one commit; the arguments are those of `push`.

    Checkpoints and other folders in it stay. So do pickles, since weights are only published as safetensors, and what
    shows examples of the corpora (`report.html`, `flagged_passages.html`, `.npz`), which are not ours to publish.

    Raises `ValueError` if the folder holds no model in safetensors.
    """
    files = publishable_files(folder)
    api = HfApi(token=token)
    repo_id = api.create_repo(repo_id, private=private, exist_ok=True).repo_id
    if revision is not None and not create_pr and not revision.startswith("refs/"):
        api.create_branch(repo_id, branch=revision, exist_ok=True)
    return api.create_commit(
        repo_id,
        # Not `upload_folder`, which may publish a large folder in several commits.
        operations=[CommitOperationAdd(file.name, _content(file, repo_id)) for file in files],
        commit_message=commit_message,
        revision=revision,
        create_pr=create_pr,
        run_as_future=run_as_future,
    )


def _content(file: Path, repo_id: str) -> Path | bytes:
    """The file; the examples of a card that was written before the model had a place on the Hub get its id."""
    if file.name != "README.md":
        return file
    card = file.read_text(encoding="utf-8")
    title = ModelCard(card, ignore_metadata_errors=True).data.get("model_name")
    return card.replace(f'"{title}"', f'"{repo_id}"').encode() if title else file


def publishable_files(folder: str | os.PathLike) -> list[Path]:
    """What `push_folder` takes, in the order of names."""
    folder = Path(folder)
    files = [
        path
        for path in sorted(folder.glob("*"))
        if path.is_file()
        and not path.name.startswith((".", "_"))
        and path.suffix not in _KEPT_BACK
        and path.name not in ("report.html", "flagged_passages.html")
    ]
    if not (folder / "config.json").is_file() or not any(path.suffix == ".safetensors" for path in files):
        raise ValueError(
            f"{str(folder)!r} holds no saved model, which is a config.json and weights in safetensors: give the "
            "folder that `save_pretrained` or a recipe wrote."
        )
    return files
