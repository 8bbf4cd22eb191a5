"""`OETrainer`: the Hugging Face Trainer with Outlier Exposure."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset
from transformers.trainer_utils import EvalLoopOutput, has_length

from .arguments import OETrainingArguments
from .callbacks import NonFiniteLossGuard
from .checkpoints import CompleteCheckpoints
from .config import update_oe_settings
from .data.mixing import BATCH_INFO, PairCollator, PairedDataset, PairSampler, Unlabelled
from .data.streams import OutlierMixture
from .detectors.scoring import fit_sample
from .features import captured_features, classifier_head
from .hub.trainer import HubMixin
from .ledger import BatchLedger, load_resume_state, save_resume_state
from .methods import method_of
from .objectives import OBJECTIVES
from .scores import logits_of
from .suite import OODResults, OODSuite, rescaled_confidence

logger = logging.getLogger(__name__)


class OETrainer(HubMixin, CompleteCheckpoints):
    """Trains a classifier on in-distribution examples while showing it outliers that it must be unsure about.

    Every batch holds in-distribution rows and outliers, goes through the model once, and its outputs, labels and mask
    go to the objective. Without `outlier_dataset` it is a plain Trainer: the paper's baseline. Fine-tuning and
    training from scratch, the two modes of the paper, differ only in the model that is passed in and the schedule.

    Args:
        model: any classifier whose output has `logits` `(batch, classes)`, or a density model whose first output
            besides the loss has one number an example. An objective that trains another network, one with a branch
            for instance, makes it from this one: see the attribute `model`, and `hf_oe.methods`.
        args: an `OETrainingArguments`.
        outlier_dataset: map-style or iterable; its rows have the columns of `train_dataset`, labels are not needed.
            A stream, or an `OutlierMixture` of several sets, is shared out to the processes;
            `dataloader_num_workers=1` reads it ahead in the background.
        ood_datasets: map-style test sets of anomalies by name; `evaluate` reports how well each is told apart from
            `eval_dataset`.
        calibration_dataset: labelled in-distribution examples that are not trained on; `evaluate` fits the softmax
            temperature on them, stores it in the model's config, and reports calibration beside each anomaly corpus.
        ood_groups: names of `ood_datasets` by group, such as "near" and "far", for means of their own beside the mean
            over all.
        detector_dataset: labelled training examples, as the test set is transformed, on a sample of which detectors
            such as "knn" are fitted; by default `train_dataset`.
        kwargs: what `transformers.Trainer` takes: `train_dataset`, `eval_dataset`, `processing_class`,
            `data_collator`, `callbacks` …

    Attributes:
        ood_results: the `OODResults` of the last `evaluate()`, scores included.

    Several processes keep their own batch-norm statistics while training, as in any DDP run; those of the first
    process are sent to the others before evaluation, since they are the ones that are saved. Convert the model with
    `torch.nn.SyncBatchNorm.convert_sync_batchnorm` to share them while training.

    Example:
        >>> trainer = OETrainer(
        ...     model=model,
        ...     args=OETrainingArguments("out", num_train_epochs=1, learning_rate=1e-3),
        ...     train_dataset=train,
        ...     outlier_dataset=outliers,
        ...     eval_dataset=test,
        ...     ood_datasets={"textures": textures},
        ... )
        >>> trainer.train()
        >>> trainer.evaluate()["eval_ood_textures_auroc"]
    """

    args: OETrainingArguments

    def __init__(
        self,
        model: Any = None,
        args: OETrainingArguments | None = None,
        *,
        outlier_dataset: Any = None,
        ood_datasets: Mapping[str, Dataset] | None = None,
        calibration_dataset: Dataset | None = None,
        ood_groups: Mapping[str, Sequence[str]] | None = None,
        detector_dataset: Dataset | None = None,
        **kwargs: Any,
    ):
        args = args if args is not None else OETrainingArguments("trainer_output")
        _check(args, outlier_dataset, kwargs)
        self.method = method_of(args.objective)
        self._objective_names = tuple(inspect.signature(OBJECTIVES[args.objective]).parameters)
        super().__init__(model=model if model is None else self.method.prepare(model), args=args, **kwargs)
        self.outlier_dataset = outlier_dataset
        self.ood_datasets = dict(ood_datasets or {})
        self.calibration_dataset = calibration_dataset
        self.detector_dataset = detector_dataset
        self.ood_results: OODResults | None = None
        self.suite = OODSuite(
            args.score, args.recall_level, args.ood_base_rate, args.ood_trials, args.seed, ood_groups
        )
        if outlier_dataset is not None or self.method.own_baseline:
            # The objective returns means over a micro-batch; the default would leave out the division by their number.
            self.loss_is_scaled_for_ga = False
        self._loss_parts: dict[str, torch.Tensor] = {}
        self._loss_parts_count = 0
        self._ledger = BatchLedger(args.max_unreadable_outliers)
        self._nonfinite = NonFiniteLossGuard(args.on_nonfinite_loss)
        self._resume_state: dict[str, Any] | None = None
        self.add_callback(self._ledger)
        self.add_callback(self._nonfinite)

    @property
    def trained_model(self) -> torch.nn.Module:
        """The model without what distributed training and compilation wrap it in."""
        return self.accelerator.unwrap_model(self.model)

    # ---- Mixing ----

    def get_train_dataloader(self) -> DataLoader:
        """Batches of `per_device_train_batch_size` in-distribution examples and `outlier_batch_size` outliers."""
        args = self.args
        if not has_length(self.train_dataset) or args.train_sampling_strategy != "random":
            # Only without outliers (`_check`): sampling that PairSampler does not offer is the Trainer's own.
            return super().get_train_dataloader()
        outliers, outlier_batch_size = self._outliers(), 0
        if outliers is not None:
            # Under DataParallel or `auto_find_batch_size` the two halves grow and shrink together.
            outlier_batch_size = (
                (args.outlier_batch_size or args.per_device_train_batch_size) * self._train_batch_size
            ) // args.per_device_train_batch_size
        train_dataset, collator = self._prepared(self.train_dataset), self.data_collator
        if not hasattr(self.train_dataset, "column_names"):
            collator = self._get_collator_with_removed_columns(collator, "training")
        sampler = PairSampler(
            num_examples=len(train_dataset),
            num_outliers=len(outliers) if has_length(outliers) else None,
            batch_size=self._train_batch_size,
            outlier_batch_size=outlier_batch_size,
            seed=args.data_seed if args.data_seed is not None else args.seed,
        )
        loader = DataLoader(
            PairedDataset(train_dataset, outliers),
            batch_size=self._train_batch_size,
            sampler=sampler,
            collate_fn=PairCollator(collator),
            drop_last=args.dataloader_drop_last,
            num_workers=args.dataloader_num_workers,
            multiprocessing_context=args.dataloader_multiprocessing_context,
            in_order=args.dataloader_in_order,
            pin_memory=args.dataloader_pin_memory,
            persistent_workers=args.dataloader_persistent_workers,
            prefetch_factor=args.dataloader_prefetch_factor,
            # With persistent workers a loader without one would disturb the generator that a resume restores.
            generator=torch.Generator().manual_seed(args.seed),
        )
        loader = self.accelerator.prepare(loader)
        # accelerate does not tell a wrapped sampler its epoch after a mid-epoch resume on several ranks (#4071).
        loader.set_sampler(sampler)
        return loader

    def _prepared(self, dataset: Any) -> Any:
        """The dataset without the columns that the model does not take, as the Trainer does it."""
        return self._remove_unused_columns(dataset, "training") if hasattr(dataset, "remove_columns") else dataset

    def _outliers(self) -> Any:
        """What the paired dataset reads outliers from: nothing, a map-style dataset, or this process's stream."""
        if self.outlier_dataset is None:
            return None
        if has_length(self.outlier_dataset):
            return self._prepared(self.outlier_dataset)
        mixture = self.outlier_dataset
        if not isinstance(mixture, OutlierMixture):
            mixture = OutlierMixture([mixture])
        stream = mixture.stream(
            self.args.process_index,
            self.args.world_size,
            seed=self.args.data_seed if self.args.data_seed is not None else self.args.seed,
            shuffle_block=self.args.outlier_shuffle_block,
            max_unreadable=self.args.max_unreadable_outliers,
        )
        if self._ledger.stream_state is not None:
            stream.load_state_dict(self._ledger.stream_state)
        self._ledger.stream = stream
        return stream

    def get_batch_samples(self, epoch_iterator, num_batches, device):
        batches, num_items = super().get_batch_samples(epoch_iterator, num_batches, device)
        self._ledger.receive([batch.pop(BATCH_INFO, None) for batch in batches])
        return batches, num_items

    # ---- Resuming ----

    def _save_rng_state(self, output_dir: str) -> None:
        super()._save_rng_state(output_dir)
        logged = {"sum": self._tr_loss, "step": self._globalstep_last_logged}
        parts = {"parts": self._loss_parts, "parts_count": self._loss_parts_count}
        state = {"ledger": self._ledger.state_dict(), "loss": {**logged, **parts}}
        save_resume_state(output_dir, self.args.process_index, state)

    def _restore(self, checkpoint: str) -> None:
        self._resume_state = load_resume_state(checkpoint, self.args.process_index, self.args.world_size)
        if self._resume_state is not None:
            self._ledger.load_state_dict(self._resume_state["ledger"])

    def _load_rng_state(self, checkpoint: str | None) -> None:
        super()._load_rng_state(checkpoint)
        if self._resume_state is not None:
            # What was summed up since the last log entry belongs to the next one.
            loss = self._resume_state["loss"]
            self._tr_loss, self._globalstep_last_logged = loss["sum"].to(self.args.device), loss["step"]
            self._loss_parts = {name: value.to(self.args.device) for name, value in loss["parts"].items()}
            self._loss_parts_count = loss["parts_count"]

    # ---- Saving ----

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """As the Trainer's, which writes no model at all under FSDP with sharded checkpoints; this gathers it."""
        if self.is_fsdp_enabled and not _internal_call:
            kind = str(self.accelerator.state.fsdp_plugin.state_dict_type)
            if "FULL_STATE_DICT" not in kind:
                self._save(output_dir, state_dict=self.accelerator.get_state_dict(self.model))
        super().save_model(output_dir, _internal_call)

    # ---- Objective ----

    def training_step(self, model, inputs, num_items_in_batch=None):
        """The Trainer's, with an eye on the loss: see `on_nonfinite_loss`."""
        parts, count = dict(self._loss_parts), self._loss_parts_count
        loss = super().training_step(model, inputs, num_items_in_batch)
        if not self._nonfinite.check(loss, self.args, self.state.global_step + 1, self._ledger.next_batch()):
            # The names stay, so that all processes log the same ones.
            parts = {name: parts.get(name, torch.zeros_like(value)) for name, value in self._loss_parts.items()}
            self._loss_parts, self._loss_parts_count = parts, count
        return loss

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        """The objective where there are outliers or its method trains the baseline; else the model's own loss."""
        if "is_outlier" not in inputs:
            if not self.method.own_baseline:
                return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
            inputs = {**inputs, "is_outlier": torch.zeros_like(inputs["labels"], dtype=torch.bool)}
        is_outlier, labels = inputs.pop("is_outlier"), inputs.pop("labels", None)
        bare = self.accelerator.unwrap_model(model)
        context = {"model": bare, "inputs": inputs}
        if {"features", "head"} & set(self._objective_names):
            with captured_features(bare) as features:
                outputs = model(**inputs)
            context |= {"features": features[-1], "head": classifier_head(bare)}
        else:
            outputs = model(**inputs)
        loss = self._add_up(self._objective(outputs, labels, is_outlier, **context), training=model.training)
        return (loss, outputs) if return_outputs else loss

    def _add_up(self, parts: Mapping[str, torch.Tensor], training: bool = True) -> torch.Tensor:
        """The loss, whose parts are remembered for the log."""
        if training:
            for name, value in parts.items():
                self._loss_parts[name] = self._loss_parts.get(name, 0.0) + value.detach()
            self._loss_parts_count += 1
        return sum(parts.values())

    def _objective(
        self, outputs: Any, labels: Any, is_outlier: torch.Tensor, **context: Any
    ) -> dict[str, torch.Tensor]:
        """Calls the objective with the settings of the run, and with what it asks for of `context`."""
        settings = {"weight": self.args.outlier_weight, **self.args.objective_kwargs}
        asked = {name: value for name, value in context.items() if name in self._objective_names}
        return OBJECTIVES[self.args.objective](outputs, labels, is_outlier, **settings, **asked)

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Adds each part of the objective as `loss_<part>`, averaged as `loss` is, to what the Trainer logs.

        Also `outliers_skipped`, the number of unreadable outliers left out so far by all processes, and
        `steps_skipped`, that of steps left out for a NaN or infinite loss, where there are any.
        """
        if "loss" in logs and (self._loss_parts or self.outlier_dataset is not None):
            for name, total in self._loss_parts.items():
                sums = torch.stack([total, torch.full_like(total, self._loss_parts_count)])
                total, count = self.accelerator.gather(sums[None]).sum(0).tolist()
                if count:
                    logs[f"loss_{name}"] = total / count
            self._loss_parts, self._loss_parts_count = {}, 0
            skipped = torch.tensor([self._ledger.skipped], device=self.args.device)
            counts = {
                "outliers_skipped": int(self.accelerator.gather(skipped).sum()),
                "steps_skipped": self._nonfinite.skipped_steps,
            }
            logs.update({name: count for name, count in counts.items() if count})
        super().log(logs, start_time)

    def get_decay_parameter_names(self, model: torch.nn.Module) -> list[str]:
        if self.args.decay_all_parameters:
            return [name for name, _ in model.named_parameters()]
        return super().get_decay_parameter_names(model)

    # ---- Evaluation ----

    def evaluation_loop(
        self, dataloader, description, prediction_loss_only=None, ignore_keys=None, metric_key_prefix="eval"
    ) -> EvalLoopOutput:
        """As the Trainer's; `evaluate` adds accuracy, `<prefix>_ood_<corpus>_<metric>` and
        `<prefix>_calibration_<corpus>_<metric>`, all fractions."""
        self._prepare_evaluation()
        if description != "Evaluation" or self.args.prediction_loss_only:
            return super().evaluation_loop(
                dataloader, description, prediction_loss_only, ignore_keys, metric_key_prefix
            )
        detectors = self.suite.detectors
        if detectors:
            dataset = self.train_dataset if self.detector_dataset is None else self.detector_dataset
            loader = self.get_test_dataloader(fit_sample(self._prepared(dataset), self.args.seed))
            with detectors.collecting():
                normal = super().evaluation_loop(loader, "Detectors", False, ignore_keys, "detectors")
            detectors.fit(self.model, logits_of(normal.predictions), normal.label_ids)
        with detectors.scoring("in_distribution"):
            output = super().evaluation_loop(dataloader, description, False, ignore_keys, metric_key_prefix)
        outputs, labels = _outputs(output), output.label_ids
        logits = outputs.get("logits")
        if logits is not None and logits.ndim == 1:
            labels = None  # a density model, which gives one number an example, has no classes to tell apart
        if logits is not None and logits.ndim in (1, 2) and (self.ood_datasets or labels is not None):
            corpora = {}
            for name, dataset in self.ood_datasets.items():
                loader = self.get_test_dataloader(Unlabelled(self._prepared(dataset)))
                with detectors.scoring(name):
                    corpora[name] = _outputs(super().evaluation_loop(loader, f"OOD {name}", False, ignore_keys, "ood"))
            self.ood_results = self.suite.evaluate_logits(outputs, corpora, labels, detectors.table)
            if self.calibration_dataset is not None and labels is not None:
                loader = self.get_test_dataloader(self._prepared(self.calibration_dataset))
                held_out = super().evaluation_loop(loader, "Calibration", False, ignore_keys, "calibration")
                by_corpus = {name: corpus["logits"] for name, corpus in corpora.items()}
                self._calibrate((_outputs(held_out)["logits"], held_out.label_ids), logits, labels, by_corpus)
            figures = {f"{metric_key_prefix}_{key}": value for key, value in self.ood_results.metrics().items()}
            output.metrics.update({key: value for key, value in figures.items() if key not in output.metrics})
        return output

    def _calibrate(
        self,
        held_out: tuple[np.ndarray, np.ndarray],
        logits: np.ndarray,
        labels: np.ndarray,
        corpora: Mapping[str, np.ndarray],
    ) -> None:
        """Adds the temperature and the calibration with it to `ood_results`; without one there, a warning says why."""
        try:
            temperature, rows = self.suite.calibrate(
                held_out, logits, labels, corpora, self.args.calibration_base_rate
            )
        except ValueError as error:
            logger.warning("Calibration is left out, since no temperature fits `calibration_dataset`: %s", error)
            return
        self.ood_results.temperature, self.ood_results.calibration = temperature, rows
        self.ood_results.confidence = {
            name: rescaled_confidence(values, temperature)
            for name, values in {"in_distribution": logits, **corpora}.items()
        }
        update_oe_settings(self.model, temperature=temperature)

    def prediction_step(self, model, inputs, prediction_loss_only, ignore_keys=None):
        """As the Trainer's; detectors see the features of the same forward pass."""
        detectors = self.suite.detectors
        if not detectors.watching:
            return self._prediction_step(model, inputs, prediction_loss_only, ignore_keys)
        with captured_features(self.model, positions=True) as features:
            step = self._prediction_step(model, inputs, prediction_loss_only, ignore_keys)
        inputs = self._prepare_inputs(inputs)
        detectors.observe(self.model, inputs, features[-1], logits_of(step[1]), self.gather_function)
        return step

    def _prediction_step(self, model, inputs, prediction_loss_only, ignore_keys):
        """As the Trainer's; where a score takes further outputs, those and the logits are given by name."""
        if prediction_loss_only or not self.suite.further_outputs:
            return super().prediction_step(model, inputs, prediction_loss_only, ignore_keys)
        inputs = self._prepare_inputs(inputs)
        labels, loss = inputs.get("labels"), None
        with torch.no_grad(), self.compute_loss_context_manager():
            if labels is None:
                outputs = model(**inputs)
            else:
                loss, outputs = self.compute_loss(model, inputs, return_outputs=True)
        kept = {name: outputs[name] for name in ("logits", *self.suite.further_outputs) if name in outputs}
        return loss, kept, labels

    def _prepare_evaluation(self) -> None:
        """Gives every process the first one's buffers, so that all evaluate the model that is saved.

        A model that was not trained here is made ready where the Trainer cannot: FSDP deals it out, ZeRO-1 and 2 do
        not.
        """
        if not self.accelerator._models:
            if self.is_fsdp_enabled:
                # The second version of FSDP takes no model without an optimizer.
                optimizer = torch.optim.SGD(self.model.parameters())
                self.model, _ = self.accelerator.prepare(self.model, optimizer)
            elif self.is_deepspeed_enabled and self.accelerator.state.deepspeed_plugin.zero_stage < 3:
                self.deepspeed = self.accelerator.prepare_model(self.model, evaluation_mode=True)
        if self.args.world_size > 1:
            for buffer in self.model.buffers():
                torch.distributed.broadcast(buffer, src=0)


def _outputs(output: EvalLoopOutput) -> dict[str, np.ndarray]:
    predictions = output.predictions
    if isinstance(predictions, Mapping):
        return dict(predictions)
    return {} if predictions is None else {"logits": logits_of(predictions)}


def _check(args: OETrainingArguments, outlier_dataset: Any, kwargs: Mapping[str, Any]) -> None:
    if not isinstance(args, OETrainingArguments):
        raise TypeError(
            f"`args` must be an OETrainingArguments, got {type(args).__name__}: it takes the same arguments and more."
        )
    if outlier_dataset is None:
        return
    train_dataset = kwargs.get("train_dataset")
    if train_dataset is not None and not has_length(train_dataset):
        raise ValueError(
            "`train_dataset` must have a length when `outlier_dataset` is given, got a stream: only outliers can be "
            "streamed, so load the in-distribution set without `streaming=True`."
        )
    if has_length(outlier_dataset) and len(outlier_dataset) == 0:
        raise ValueError("`outlier_dataset` is empty: give it examples, or leave it out for the baseline.")
    if not has_length(outlier_dataset) and (args.dataloader_num_workers > 1 or args.dataloader_persistent_workers):
        raise ValueError(
            "`dataloader_num_workers` must be 0 or 1, and `dataloader_persistent_workers` False, with a streamed "
            "`outlier_dataset`, which each process reads in one place, got "
            f"{args.dataloader_num_workers} and {args.dataloader_persistent_workers}."
        )
    if args.on_nonfinite_loss == "skip" and args.deepspeed:
        raise ValueError(
            "`on_nonfinite_loss` must be 'stop' with DeepSpeed, which makes its step before it could be left out, "
            "got 'skip'."
        )
    if args.train_sampling_strategy != "random":
        raise ValueError(
            "`train_sampling_strategy` must be 'random' with an `outlier_dataset`, got "
            f"{args.train_sampling_strategy!r}."
        )
    if args.label_smoothing_factor or kwargs.get("compute_loss_func") is not None:
        raise ValueError(
            "`label_smoothing_factor` and `compute_loss_func` have no effect with an `outlier_dataset`: register an "
            "objective in hf_oe.objectives and name it in `objective`."
        )
