"""The plan of recipes/accelerate/README.md in small: 64 ranks, shards in a multiple of them, shuffled blocks."""

from collections import Counter

import datasets
import numpy as np
import pytest

from hf_oe.data.streams import OutlierStream

RANKS, BATCH = 64, 8
SHARDS, SHARD_SIZE = 5 * RANKS, 16


def dataset(
    opened: Counter, shards: int = SHARDS, written: str = "as found", read: str = "shuffled"
) -> datasets.IterableDataset:
    """Rows with their `source`: one a shard, or shuffled over all shards when they were written."""
    size = shards * SHARD_SIZE
    order = np.arange(size) if written == "as found" else np.random.default_rng(0).permutation(size)

    def generate(shards):
        for shard in shards:
            opened[shard] += 1
            for value in order[shard * SHARD_SIZE : (shard + 1) * SHARD_SIZE].tolist():
                yield {"value": value, "source": value // SHARD_SIZE}

    stream = datasets.IterableDataset.from_generator(generate, gen_kwargs={"shards": list(range(shards))})
    return stream.shuffle(seed=0, buffer_size=1) if read == "shuffled" else stream


def batches(
    stream_of: datasets.IterableDataset, passes: int = 1, shuffle_block: int | None = SHARD_SIZE, ranks: int = RANKS
) -> np.ndarray:
    """What the ranks draw: (step, rank, row, [value, source])."""
    steps = passes * stream_of.num_shards * SHARD_SIZE // ranks // BATCH
    drawn = []
    for rank in range(ranks):
        stream = OutlierStream(stream_of, rank, ranks, shuffle_block=shuffle_block)
        drawn.append([[(row["value"], row["source"]) for row in stream.take(BATCH)] for _ in range(steps)])
    return np.array(drawn).transpose(1, 0, 2, 3)


def test_every_shard_is_read_once_by_one_rank_and_every_outlier_drawn_once():
    opened = Counter()
    drawn = batches(dataset(opened))
    assert len(np.unique(drawn[..., 0])) == drawn[..., 0].size == SHARDS * SHARD_SIZE
    # A rank opens its next shard when it has drawn the last row, so the pass after this has begun for some.
    assert set(opened.values()) <= {1, 2} and sum(opened.values()) <= SHARDS + RANKS


def test_shards_in_no_multiple_of_the_ranks_are_drawn_once_but_read_by_all():
    opened, ranks, shards = Counter(), 12, 41
    drawn = batches(dataset(opened, shards), ranks=ranks)
    assert len(np.unique(drawn[..., 0])) == drawn[..., 0].size > shards * SHARD_SIZE - ranks * BATCH
    assert np.median(list(opened.values())) >= ranks


def test_the_second_pass_comes_in_another_order():
    first, second = np.split(batches(dataset(Counter()), passes=2)[..., 0], 2)
    assert np.array_equal(np.unique(first), np.unique(second))
    assert (first == second).mean() < 0.1


def same_source(drawn: np.ndarray) -> float:
    """The share of pairs within a global batch that come from the same source; 1/320 in a perfect shuffle."""
    shares = []
    for step in drawn[..., 1].reshape(len(drawn), -1):
        counts = np.bincount(step)
        shares.append((counts * (counts - 1)).sum() / (len(step) * (len(step) - 1)))
    return float(np.mean(shares))


def test_a_global_batch_is_as_diverse_as_the_plan_says():
    ideal = (SHARD_SIZE - 1) / (SHARDS * SHARD_SIZE - 1)
    one_shard_a_rank = (BATCH - 1) / (RANKS * BATCH - 1)
    # One shard after the other, each rank's batch is of one shard, whatever the block within it.
    assert same_source(batches(dataset(Counter(), read="in order"))) == pytest.approx(one_shard_a_rank)
    # In blocks of two shards nearly every second pair of a rank's batch is of one shard; the fifth shard is alone.
    blocks = same_source(batches(dataset(Counter(), read="in order"), shuffle_block=2 * SHARD_SIZE))
    assert blocks == pytest.approx((4 * 15 / 31 + 1) / 5 * one_shard_a_rank, rel=0.1)
    # `shuffle` reads from a rank's five shards by turns.
    assert same_source(batches(dataset(Counter()), shuffle_block=None)) < ideal
    # Shuffled when the shards are written, any order of reading is as good as a perfect shuffle.
    written = dataset(Counter(), written="shuffled", read="in order")
    assert same_source(batches(written)) == pytest.approx(ideal, rel=0.15)
