"""WebDataset shards as outliers: read as they come, shared out, resumed, and robust against what is broken in them."""

import io
import tarfile

import numpy as np
import pytest
from PIL import Image

from hf_oe.data.corpora import is_read_as_it_comes, load_source
from hf_oe.data.images import BatchTransform, stream_photographs
from hf_oe.data.streams import OutlierStream

SHARDS, PICTURES = 5, 12
BROKEN = {(1, 3), (4, 0)}


def picture(value):
    buffer = io.BytesIO()
    Image.fromarray(np.full((40, 40, 3), value, np.uint8)).save(buffer, "png")
    return buffer.getvalue()


@pytest.fixture
def shards(tmp_path):
    """Pictures of one grey each, which numbers them; two are cut short."""
    for shard in range(SHARDS):
        with tarfile.open(tmp_path / f"part-{shard:03}.tar", "w") as archive:
            for number in range(PICTURES):
                content = picture(shard * PICTURES + number)
                content = content[:60] if (shard, number) in BROKEN else content
                for suffix, data in (("png", content), ("json", b'{"source": "the web"}')):
                    member = tarfile.TarInfo(f"{shard:03}-{number:03}.{suffix}")
                    member.size = len(data)
                    archive.addfile(member, io.BytesIO(data))
    return tmp_path


def stream(shards, rank=0, world_size=1):
    transform = BatchTransform(mean=(0, 0, 0), std=(1, 1, 1))
    dataset = load_source(str(shards), "train", streaming=True).select_columns("image")
    return OutlierStream(stream_photographs(dataset, 32, 3, transform), rank, world_size, seed=1)


def numbers(rows):
    return [round(255 * float(row["pixel_values"].mean())) for row in rows]


GOOD = sorted(set(range(SHARDS * PICTURES)) - {shard * PICTURES + number for shard, number in BROKEN})


@pytest.mark.parametrize("name", ["folder", "pattern", "a folder in data_dir"])
def test_shards_are_read_as_they_come(name, shards):
    source, data_dir = {
        "folder": (str(shards), None),
        "pattern": (str(shards / "part-*.tar"), None),
        "a folder in data_dir": (shards.name, str(shards.parent)),
    }[name]
    assert is_read_as_it_comes(source, data_dir)
    row = next(iter(load_source(source, "train", data_dir, streaming=True)))
    assert row["image"].size == (40, 40)


def test_other_sources_are_not(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "one.png")
    assert not is_read_as_it_comes(str(tmp_path)) and not is_read_as_it_comes("textures")
    assert not is_read_as_it_comes("nobody/nothing") and is_read_as_it_comes("imagenet22k")


def test_a_pass_yields_every_readable_picture_once_and_counts_the_others(shards):
    reader = stream(shards)
    assert sorted(numbers(reader.take(len(GOOD)))) == GOOD and reader.skipped == len(BROKEN)


@pytest.mark.parametrize("world_size", [2, 4, 5])
def test_ranks_share_all_pictures_where_shards_do_not_divide_too(world_size, shards):
    shares = [
        numbers(stream(shards, rank, world_size).take(len(GOOD) // world_size - 3)) for rank in range(world_size)
    ]
    seen = sum(shares, [])
    assert len(seen) == len(set(seen)) and set(seen) <= set(GOOD)


@pytest.mark.parametrize("place", [1, 20, 57, 70])
def test_resumes_at_the_very_picture(place, shards):
    whole = stream(shards)
    whole.take(place)
    state = whole.state_dict()
    resumed = stream(shards)
    resumed.load_state_dict(state)
    for expected, actual in zip(whole.take(30), resumed.take(30), strict=True):
        np.testing.assert_array_equal(expected["pixel_values"], actual["pixel_values"])
    assert whole.skipped == resumed.skipped
