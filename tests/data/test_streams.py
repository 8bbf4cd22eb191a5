"""Outlier streams: endless, shared out to ranks, and resumed at the very example."""

import datasets
import pytest

from hf_oe.data.streams import OutlierStream


def numbers(size=10, shards=1):
    def generate(bounds):
        for start, stop in bounds:
            yield from ({"value": value} for value in range(start, stop))

    step = size // shards
    bounds = [(start, start + step) for start in range(0, size, step)]
    return datasets.IterableDataset.from_generator(generate, gen_kwargs={"bounds": bounds})


class PlainIterable:
    def __iter__(self):
        return iter({"value": value} for value in range(10))


STREAMS = {
    "datasets": numbers,
    "sharded": lambda: numbers(shards=5),
    "shuffle buffer": lambda: numbers().shuffle(seed=1, buffer_size=4),
    "shuffled shards": lambda: numbers(shards=5).shuffle(seed=1, buffer_size=1),
    "mapped": lambda: numbers().map(lambda row: {"value": row["value"] * 2}),
    "plain iterable": PlainIterable,
}


def values(rows):
    return [row["value"] for row in rows]


@pytest.mark.parametrize("make", STREAMS.values(), ids=STREAMS)
@pytest.mark.parametrize("place", [0, 3, 10, 17, 25])
def test_resumes_at_the_very_example(make, place):
    stream = OutlierStream(make())
    stream.take(place)
    state = stream.state_dict()
    expected = values(stream.take(13))
    resumed = OutlierStream(make())
    resumed.load_state_dict(state)
    assert values(resumed.take(13)) == expected


def test_a_pass_is_followed_by_the_next():
    assert values(OutlierStream(numbers(4)).take(9)) == [0, 1, 2, 3, 0, 1, 2, 3, 0]


def test_a_shuffled_stream_is_shuffled_anew_in_each_pass():
    taken = values(OutlierStream(numbers(20).shuffle(seed=1, buffer_size=20)).take(40))
    assert sorted(taken[:20]) == sorted(taken[20:]) == list(range(20)) and taken[:20] != taken[20:]


@pytest.mark.parametrize("make", [lambda: numbers(12), lambda: numbers(12, shards=4), lambda: numbers(12, shards=6)])
@pytest.mark.parametrize("world_size", [2, 3, 4])
def test_every_example_goes_to_one_rank(make, world_size):
    shares = [values(OutlierStream(make(), rank, world_size).take(12 // world_size)) for rank in range(world_size)]
    assert sorted(sum(shares, [])) == list(range(12))


def test_a_stream_without_examples_is_an_error():
    with pytest.raises(ValueError, match="`outlier_dataset` yields no example"):
        OutlierStream([]).take(1)
