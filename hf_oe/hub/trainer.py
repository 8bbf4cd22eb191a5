"""The Trainer's part: what it records in the config, the card, and one commit instead of several."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from huggingface_hub import CommitInfo
from transformers import Trainer

from ..config import update_oe_settings
from .card import TAGS
from .provenance import describe_dataset, training_settings
from .push import push_folder, write_results_and_card
from .results import describe_results


class HubMixin(Trainer):
    """Goes before `transformers.Trainer` among the bases of `OETrainer`.

    Attributes:
        outlier_names: of the outlier sets, for config and card, where the datasets themselves do not bear them.
    """

    outlier_names: Sequence[str] | None = None

    def _save(self, output_dir: str | None = None, state_dict: dict | None = None) -> None:
        update_oe_settings(self.model, **training_settings(self.args, self.outlier_dataset, self.outlier_names))
        super()._save(output_dir, state_dict)

    def create_model_card(
        self,
        language: str | None = None,
        license: str | None = None,
        tags: str | Sequence[str] | None = None,
        model_name: str | None = None,
        finetuned_from: str | None = None,
        tasks: str | Sequence[str] | None = None,
        dataset_tags: str | Sequence[str] | None = None,
        dataset: str | None = None,
        dataset_args: Any = None,
    ) -> None:
        """Writes card, figures, `ood_results.json` and `ood_results.csv` of the last `evaluate()` into `output_dir`.

        Args:
            language, license, tags: metadata; tags are added to ours.
            model_name: title, and the name in the metadata.
            finetuned_from: Hub id of the base model.
            tasks: the Hub's task, by default classification of the model's modality.
            dataset_tags: Hub ids of the training data.
            dataset: name of the in-distribution set.
            dataset_args: not used; the Trainer has it.
        """
        if not self.is_world_process_zero():
            return
        stage = "baseline" if self.outlier_dataset is None else "oe"
        if dataset is None and self.train_dataset is not None:
            dataset = describe_dataset(self.train_dataset)[0]["name"]
        given = {
            "language": language,
            "license": license,
            "base_model": finetuned_from,
            "pipeline_tag": tasks,
            "datasets": dataset_tags,
        }
        metadata = {key: value for key, value in given.items() if value is not None}
        if tags is not None:
            metadata["tags"] = [*TAGS, *([tags] if isinstance(tags, str) else tags)]
        results = self.ood_results and describe_results(self.ood_results, dataset or "its training data", stage)
        write_results_and_card(
            self.args.output_dir,
            self.accelerator.unwrap_model(self.model),
            results=results,
            scores=self.ood_results and self.ood_results.scores,
            name=self.hub_model_id or model_name or Path(self.args.output_dir).name,
            **metadata,
        )

    def push_to_hub(
        self,
        commit_message: str = "End of training",
        blocking: bool = True,
        token: str | None = None,
        revision: str | None = None,
        private: bool | None = None,
        create_pr: bool = False,
        **kwargs: Any,
    ) -> CommitInfo | Future[CommitInfo] | None:
        """Pushes model, processing class, card and results to `args.hub_model_id`, in one commit.

        Args:
            blocking: wait for the upload; otherwise a `Future` is returned.
            token, revision, private: by default those of the arguments (`hub_token`, `hub_revision`,
                `hub_private_repo`).
            create_pr: open a pull request instead of committing.
            kwargs: for `create_model_card`.

        Returns `None` on all but the first process. Call `evaluate()` before, for the results to go along.
        """
        args = self.args
        self.callback_handler.on_push_begin(args, self.state, self.control)
        token = token if token is not None else args.hub_token
        private = private if private is not None else args.hub_private_repo
        if self.hub_model_id is None:
            self.init_hf_repo(token=token, private=private)
        self.save_model(_internal_call=True)
        if not self.is_world_process_zero():
            return None
        self.create_model_card(**kwargs)
        self._finish_current_push()
        return push_folder(
            args.output_dir,
            self.hub_model_id,
            private=private,
            revision=revision or args.hub_revision,
            create_pr=create_pr,
            token=token,
            commit_message=commit_message,
            run_as_future=not blocking,
        )
