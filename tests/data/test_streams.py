"""Outlier streams: endless, shared out to ranks, and resumed at the very example."""

import datasets
import pytest
import torch

from hf_oe.data.streams import OutlierMixture, OutlierStream


def numbers(size=10, shards=1):
    def generate(bounds):
        for start, stop in bounds:
            yield from ({"value": value} for value in range(start, stop))

    step = size // shards
    bounds = [(start, start + step) for start in range(0, size, step)]
    return datasets.IterableDataset.from_generator(generate, gen_kwargs={"bounds": bounds})


def in_arrow(size=10):
    return datasets.Dataset.from_dict({"value": range(size)}).to_iterable_dataset(num_shards=5)


class PlainIterable:
    def __iter__(self):
        return iter({"value": value} for value in range(10))


STREAMS = {
    "datasets": numbers,
    "sharded": lambda: numbers(shards=5),
    "shuffle buffer": lambda: numbers().shuffle(seed=1, buffer_size=4),
    "shuffled shards": lambda: numbers(shards=5).shuffle(seed=1, buffer_size=1),
    "arrow": lambda: in_arrow().shuffle(seed=1, buffer_size=1),
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


@pytest.mark.parametrize("make", [lambda: numbers(200, shards=5), lambda: in_arrow(200)])
def test_streams_with_shuffled_shards_go_back_to_their_place_without_reading_up_to_it(make):
    stream = OutlierStream(make().shuffle(seed=1, buffer_size=1))
    stream.take(350)
    state = stream.state_dict()
    assert state["block"] == 2 and state["reader"] is not None
    resumed = OutlierStream(make().shuffle(seed=1, buffer_size=1))
    resumed.load_state_dict(state)
    assert resumed.take(200) == stream.take(200)


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


@pytest.mark.parametrize("place", [0, 1, 5, 12, 13, 30])
@pytest.mark.parametrize("make", STREAMS.values(), ids=STREAMS)
def test_blocks_are_shuffled_and_resumed(make, place):
    stream = OutlierStream(make(), shuffle_block=5, seed=3)
    first = values(stream.take(place))
    state = stream.state_dict()
    expected = values(stream.take(25))
    resumed = OutlierStream(make(), shuffle_block=5, seed=3)
    resumed.load_state_dict(state)
    assert values(resumed.take(25)) == expected
    passes = [(first + expected)[start : start + 10] for start in range(0, 20, 10)]
    assert [sorted(taken) for taken in passes] == [sorted(make_all(make))] * 2 and passes[0] != passes[1]


def make_all(make):
    return [row["value"] for row in make()]


def test_what_mapped_functions_draw_at_random_is_drawn_again_after_a_resume():
    def noisy():
        return numbers(200).map(lambda row: {"value": row["value"], "noise": torch.rand(1).item()})

    stream = OutlierStream(noisy())
    stream.take(100)
    state = stream.state_dict()
    torch.manual_seed(5)
    resumed = OutlierStream(noisy())
    resumed.load_state_dict(state)
    torch.rand(3)
    assert resumed.take(150) == stream.take(150)


def in_memory(size=10):
    return [{"value": -value} for value in range(1, size + 1)]


def test_a_mixture_draws_from_streams_and_sets_in_memory_in_their_shares():
    mixture = OutlierMixture([numbers(1000), in_memory()], shares=[3, 1])
    taken = values(mixture.stream(seed=1).take(1000))
    streamed = [value for value in taken if value >= 0]
    assert streamed == list(range(len(streamed))) and 700 < len(streamed) < 800
    others = [-value for value in taken if value < 0]
    assert sorted(others[:10]) == sorted(others[10:20]) == list(range(1, 11)) and others[:10] != others[10:20]


@pytest.mark.parametrize("place", [0, 1, 33, 100])
def test_a_mixture_resumes_exactly(tmp_path, place):
    mixture = OutlierMixture([numbers(30), in_memory(), PlainIterable()], shares=[5, 3, 2])
    stream = mixture.stream(seed=1)
    stream.take(place)
    torch.save(stream.state_dict(), tmp_path / "state.pt")
    resumed = mixture.stream(seed=1)
    resumed.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert resumed.take(7) + resumed.take(50) == stream.take(57)


@pytest.mark.parametrize(
    ("shares", "message"), [([1], "one number for each of the 2"), ([1, 0], "must be positive"), ([1, -2], "positive")]
)
def test_bad_shares_are_refused(shares, message):
    with pytest.raises(ValueError, match=message):
        OutlierMixture([in_memory(), in_memory()], shares)


@pytest.mark.parametrize("shards", [1, 3, 6, 10])
def test_four_ranks_miss_nothing_and_share_nothing_where_shards_do_not_divide(shards, caplog):
    size, batch = 600, 16
    streams = [OutlierStream(numbers(size, shards), rank, 4, shuffle_block=50) for rank in range(4)]
    steps = size // 4 // batch
    seen = [value for stream in streams for _ in range(steps) for value in values(stream.take(batch))]
    assert len(set(seen)) == len(seen) == steps * 4 * batch >= size - 4 * batch
    assert "no multiple of the 4 processes" in caplog.text


class Network:
    """A stream whose reading fails at given moments, counted in rows read."""

    def __init__(self, failures):
        self.failures, self.reads = list(failures), 0

    def dataset(self):
        def generate():
            for value in range(100):
                self.reads += 1
                if self.failures and self.reads >= self.failures[0]:
                    self.failures.pop(0)
                    raise ConnectionError("the server hung up")
                yield {"value": value}

        dataset = datasets.IterableDataset.from_generator(generate)
        return dataset.map(lambda row: {**row, "noise": torch.rand(1).item()})


@pytest.mark.parametrize("shuffle_block", [None, 8])
def test_a_network_that_fails_is_tried_again_from_the_same_example(monkeypatch, shuffle_block):
    pauses = []
    monkeypatch.setattr("time.sleep", pauses.append)
    calm = OutlierStream(Network([]).dataset(), shuffle_block=shuffle_block)
    broken = OutlierStream(Network([3, 4, 60, 61, 62, 170]).dataset(), shuffle_block=shuffle_block)
    for _ in range(10):
        assert broken.take(15) == calm.take(15)
    assert len(pauses) == 6 and pauses[:2] == [1, 2] and pauses[-1] == 1


def test_a_network_that_stays_away_ends_the_run_with_a_sentence(monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with pytest.raises(
        ConnectionError, match=r"failed 9 times in a row, last with ConnectionError: the server hung up"
    ):
        OutlierStream(Network([1] * 20).dataset()).take(1)
