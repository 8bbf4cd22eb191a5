"""Unreadable outliers are replaced and counted, too many of them are an error; the machine's faults are not theirs."""

import errno
import io

import datasets
import numpy as np
import pytest
from PIL import Image

from hf_oe.data.corpora import load_source
from hf_oe.data.faults import TooManyUnreadableError, UnreadableTally, fetch_readable_rows
from hf_oe.data.images import BatchTransform, prepare_images, stream_photographs
from hf_oe.data.streams import OutlierStream
from tests.tiny import Vectors, tiny_trainer


class Faulty(Vectors):
    """Outliers of which some raise."""

    def __init__(self, size, bad, error=OSError):
        super().__init__(size, shift=-2.0, labelled=False)
        self.bad, self.error = set(bad), error

    def __getitem__(self, index):
        if index in self.bad:
            raise self.error(f"cannot decode number {index}")
        return super().__getitem__(index)


def test_unreadable_rows_are_replaced_by_readable_ones_of_the_batch():
    rows, unreadable = fetch_readable_rows(Faulty(10, {2, 5}), [1, 2, 3, 5])
    assert len(rows) == 4 and rows[1] is rows[0] and rows[3] is rows[2]
    assert unreadable == [(2, "OSError: cannot decode number 2"), (5, "OSError: cannot decode number 5")]


def test_a_batch_without_readable_rows_takes_neighbours_or_gives_up():
    rows, unreadable = fetch_readable_rows(Faulty(10, {9}), [9])
    assert len(rows) == 1 and [index for index, _ in unreadable] == [9]
    with pytest.raises(TooManyUnreadableError, match=r"None of the 2 outliers .* index 3 \(OSError: cannot decode"):
        fetch_readable_rows(Faulty(10, range(10)), [3, 4])


@pytest.mark.parametrize(
    "error",
    [MemoryError, ImportError, ConnectionError, TimeoutError, lambda text: OSError(errno.EMFILE, text)],
)
def test_faults_of_the_machine_are_not_taken_for_those_of_an_example(error):
    with pytest.raises((MemoryError, ImportError, OSError)):
        fetch_readable_rows(Faulty(10, {2}, error), [1, 2])


def test_the_tally_allows_for_a_share():
    tally = UnreadableTally(0.05)
    for _ in range(50):
        tally.skip("index 1", "why")
    with pytest.raises(TooManyUnreadableError, match=r"51 of the first 51 .* such as index 1 \(why\); .* now 0.05"):
        tally.skip("index 1", "why")
    tally = UnreadableTally(0.05)
    tally.draw(100_000)
    for number in range(5000):
        tally.skip(f"index {number}", "why")


def bad_stream(size, bad, make=None):
    def generate():
        yield from ({"index": index} for index in range(size))

    def decode(row):
        if row["index"] in bad:
            raise ValueError(f"cannot decode number {row['index']}")
        return {"pixel_values": Vectors(size, -2.0, labelled=False)[row["index"]]["pixel_values"]}

    return datasets.IterableDataset.from_generator(generate).map(decode, remove_columns=["index"])


OUTLIERS = {"map-style": Faulty, "stream": bad_stream}


@pytest.mark.parametrize("make", OUTLIERS.values(), ids=OUTLIERS)
@pytest.mark.parametrize("workers", [0, 1])
def test_one_percent_of_unreadable_outliers_is_counted_exactly(tmp_path, make, workers):
    bad = {7, 150, 299}
    # One pass: 300 map-style outliers, or a stream of as many readable ones.
    trainer = tiny_trainer(
        tmp_path,
        make(300 if make is Faulty else 303, bad),
        per_device_train_batch_size=8,
        outlier_batch_size=100,
        num_train_epochs=1,
        save_strategy="no",
        dataloader_num_workers=workers,
    )
    trainer.train()
    logs = [log["outliers_skipped"] for log in trainer.state.log_history if "outliers_skipped" in log]
    assert logs[-1] == 3 and logs == sorted(logs)


@pytest.mark.parametrize("make", OUTLIERS.values(), ids=OUTLIERS)
def test_nothing_but_unreadable_outliers_is_an_error_in_the_first_batch(tmp_path, make):
    trainer = tiny_trainer(tmp_path, make(300, set(range(300))))
    with pytest.raises(TooManyUnreadableError, match="be read, such as .*cannot decode number"):
        trainer.train()
    assert trainer.state.global_step == 0


def picture(seed):
    buffer = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (40, 40, 3), np.uint8)
    Image.fromarray(pixels).save(buffer, "png")
    return buffer.getvalue()


@pytest.fixture
def pictures(tmp_path):
    """A parquet file of 30 pictures: number 4 is cut short, number 9 is no picture at all, number 20 is empty."""
    contents = [picture(number) for number in range(30)]
    contents[4], contents[9], contents[20] = contents[4][:200], b"<html>404</html>", b""
    rows = {"image": [{"bytes": content, "path": None} for content in contents]}
    table = datasets.Dataset.from_dict(rows, features=datasets.Features({"image": datasets.Image(decode=False)}))
    table = table.cast_column("image", datasets.Image())
    path = tmp_path / "pictures.parquet"
    table.to_parquet(path)
    return str(path)


@pytest.mark.parametrize("shuffle", [None, "shuffle buffer"])
def test_streamed_pictures_that_cannot_be_decoded_are_skipped(pictures, shuffle):
    dataset = load_source(pictures, "train", streaming=True)
    if shuffle:
        dataset = dataset.shuffle(seed=1, buffer_size=5)
    stream = OutlierStream(stream_photographs(dataset, 32, 3, BatchTransform()))
    rows = stream.take(54)
    assert stream.skipped == 6 and {row["pixel_values"].shape for row in rows} == {(3, 32, 32)}


def test_a_raw_stream_of_pictures_goes_on_after_each_that_it_cannot_decode(pictures):
    stream = OutlierStream(load_source(pictures, "train", streaming=True))
    assert {row["image"].size for row in stream.take(27)} == {(40, 40)} and stream.skipped == 3


def test_pictures_that_cannot_be_decoded_are_left_out_of_prepared_outliers(pictures, caplog):
    dataset = load_source(pictures, "train")
    assert len(prepare_images(dataset, 32, max_unreadable=0.1)) == 27
    assert "3 of 30 images cannot be decoded and are left out" in caplog.text
    with pytest.raises(TooManyUnreadableError, match=r"3 of 30 images cannot be decoded, such as row 4 \("):
        prepare_images(dataset, 32, max_unreadable=0.05)
    with pytest.raises(ValueError, match=r"1 of .* images cannot be decoded, such as row 4"):
        prepare_images(dataset.select(range(8)), 32)


def test_an_image_bomb_is_refused_in_one_sentence(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500)
    dataset = datasets.Dataset.from_dict({"image": [{"bytes": picture(0), "path": None}]}).cast_column(
        "image", datasets.Image()
    )
    with pytest.raises(ValueError, match=r"such as row 0 \(DecompressionBomb.*could be decompression bomb DOS attack"):
        prepare_images(dataset, 32)
