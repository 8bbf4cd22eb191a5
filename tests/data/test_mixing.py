"""Mixing: which rows meet in a batch, in what order, and that it depends on nothing but seed, epoch and position."""

import random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader, Dataset
from transformers import default_data_collator

from hf_oe.data.mixing import BATCH_INFO, PairCollator, PairedDataset, PairSampler, Unlabelled, seeded


class Numbers(Dataset):
    """Rows that say who they are, with noise from the three global generators."""

    def __init__(self, size, offset=0, label=None):
        self.size, self.offset, self.label = size, offset, label

    def __len__(self):
        return self.size

    def __getitem__(self, index):
        noise = [torch.rand(()).item(), random.random(), np.random.rand()]
        row = {"value": float(self.offset + index), "noise": torch.tensor(noise)}
        return row if self.label is None else {**row, "label": self.label}


def mixed_loader(examples=20, outliers=50, batch_size=4, outlier_batch_size=6, seed=0, epoch=0, **kwargs):
    sampler = PairSampler(examples, outliers, batch_size, outlier_batch_size, seed)
    sampler.set_epoch(epoch)
    dataset = PairedDataset(Numbers(examples, label=1), Numbers(outliers, offset=1000))
    return DataLoader(dataset, batch_size, sampler=sampler, collate_fn=PairCollator(default_data_collator), **kwargs)


def test_in_distribution_rows_come_first_with_the_mask_and_undefined_labels():
    for batch in mixed_loader():
        assert batch["is_outlier"].tolist() == [False] * 4 + [True] * 6
        assert batch["labels"].tolist() == [1] * 4 + [-100] * 6
        assert (batch["value"] >= 1000).tolist() == batch["is_outlier"].tolist()


def test_every_example_and_no_outlier_twice_in_an_epoch():
    values = torch.cat([batch["value"] for batch in mixed_loader()]).tolist()
    assert sorted(value for value in values if value < 1000) == list(range(20))
    outliers = [value for value in values if value >= 1000]
    assert len(outliers) == len(set(outliers)) == 30


@given(
    examples=st.integers(1, 40),
    outliers=st.integers(1, 40),
    batch_size=st.integers(1, 8),
    outlier_batch_size=st.integers(1, 20),
)
def test_full_batches_hold_exactly_the_outliers_asked_for(examples, outliers, batch_size, outlier_batch_size):
    positions = list(PairSampler(examples, outliers, batch_size, outlier_batch_size, seed=1))
    for start in range(0, examples - batch_size + 1, batch_size):
        batch = positions[start : start + batch_size]
        assert sum(len(position.outliers) for position in batch) == outlier_batch_size


@given(outliers=st.integers(1, 30), epochs=st.integers(1, 5))
def test_each_outlier_is_seen_once_before_any_is_seen_again_across_epochs(outliers, epochs):
    sampler, seen = PairSampler(8, outliers, 4, 5, seed=3), []
    for epoch in range(epochs):
        sampler.set_epoch(epoch)
        seen += [int(index) for position in sampler for index in position.outliers]
    for start in range(0, len(seen), outliers):
        one_pass = seen[start : start + outliers]
        assert len(set(one_pass)) == len(one_pass)


def test_order_depends_on_seed_and_epoch_only():
    def order(**kwargs):
        return [batch["value"].tolist() for batch in mixed_loader(**kwargs)]

    assert order() == order()
    assert order(seed=1) != order()
    assert order(epoch=1) != order()


def test_randomness_depends_on_the_position_not_on_the_process_or_what_was_drawn_before():
    reference = torch.cat([batch["noise"] for batch in mixed_loader()])
    torch.rand(5)
    again = torch.cat([batch["noise"] for batch in mixed_loader(num_workers=2)])
    torch.testing.assert_close(again, reference, rtol=0, atol=0)
    assert len(reference.unique()) == reference.numel()


def test_seeded_leaves_the_generators_as_they_were():
    torch.manual_seed(0)
    expected = torch.rand(2)
    torch.manual_seed(0)
    with seeded([1, 2, 3]):
        torch.rand(10), random.random(), np.random.rand()
    torch.testing.assert_close(torch.rand(2), expected)


def test_without_outliers_a_batch_is_what_the_collator_makes():
    sampler = PairSampler(6, None, 3, 0, seed=0)
    dataset = PairedDataset(Numbers(6, label=2), None)
    for batch in DataLoader(dataset, 3, sampler=sampler, collate_fn=PairCollator(default_data_collator)):
        assert set(batch) == {"value", "noise", "labels", BATCH_INFO} and batch["labels"].tolist() == [2, 2, 2]


def test_both_halves_of_a_text_batch_are_padded_to_one_length():
    def pad(rows):
        length = max(len(row["input_ids"]) for row in rows)
        ids = [row["input_ids"] + [0] * (length - len(row["input_ids"])) for row in rows]
        return {"input_ids": torch.tensor(ids), "labels": torch.tensor([row["label"] for row in rows])}

    texts = [{"input_ids": [1, 2], "label": 0}]
    outliers = [{"input_ids": [3, 4, 5, 6], "other": "column"}]
    positions = list(PairSampler(1, 1, 1, 1, seed=0))
    batch = PairCollator(pad)(PairedDataset(texts, outliers).__getitems__(positions))
    assert batch["input_ids"].tolist() == [[1, 2, 0, 0], [3, 4, 5, 6]]
    assert batch["labels"].tolist() == [0, -100]


def test_a_column_that_outliers_lack_is_named():
    positions = list(PairSampler(1, 1, 1, 1, seed=0))
    pair = PairedDataset([{"pixel_values": 1, "label": 0}], [{"image": 1}]).__getitems__(positions)
    with pytest.raises(ValueError, match="`outlier_dataset` has no column 'pixel_values'.*image"):
        PairCollator(default_data_collator)(pair)


def test_unlabelled_rows_lose_their_labels_only():
    assert set(Unlabelled(Numbers(3, label=4))[0]) == {"value", "noise"}
