"""What `--outliers NAME|PATH` takes, and streams of it."""

import io
import itertools
import tarfile

import datasets
import numpy as np
import pytest
from datasets.distributed import split_dataset_by_node
from PIL import Image

from hf_oe.data.corpora import CorpusNotFoundError, CorruptFileError, load_source
from hf_oe.data.streams import OutlierStream

PIXELS = np.arange(6, dtype=np.uint8)[:, None, None, None] * np.ones((1, 8, 8, 3), np.uint8)


def encoded(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def values(dataset):
    return [row["image"].getpixel((0, 0))[0] for row in dataset]


def write_parquet(path, count=3, column="image"):
    path.parent.mkdir(parents=True, exist_ok=True)
    features = datasets.Features({column: datasets.Image()})
    images = [Image.fromarray(image) for image in PIXELS[:count]]
    datasets.Dataset.from_dict({column: images}, features=features).to_parquet(path)


def write_shard(path, first, count):
    with tarfile.open(path, "w") as archive:
        for number in range(first, first + count):
            for suffix, content in (("png", encoded(PIXELS[number])), ("cls", str(number % 2).encode())):
                member = tarfile.TarInfo(f"example{number}.{suffix}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))


streaming = pytest.mark.parametrize("streaming", [False, True])


@streaming
def test_a_parquet_file(tmp_path, streaming):
    write_parquet(tmp_path / "some.parquet", column="img")
    assert values(load_source(str(tmp_path / "some.parquet"), "train", streaming=streaming)) == [0, 1, 2]


@streaming
def test_a_folder_of_images_with_a_folder_a_class(tmp_path, streaming):
    for number, name in enumerate(["a/0.png", "a/1.png", "b/2.png"]):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(encoded(PIXELS[number]))
    dataset = load_source(str(tmp_path), "test", streaming=streaming)
    assert values(dataset) == [0, 1, 2]
    assert [row["label"] for row in dataset] == [0, 0, 1]


@streaming
def test_a_folder_of_images_in_data_dir(tmp_path, streaming):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "0.png").write_bytes(encoded(PIXELS[4]))
    assert values(load_source("pictures", "train", tmp_path, streaming)) == [4]


def test_a_folder_of_images_with_a_folder_a_split(tmp_path):
    for number, name in enumerate(["train/a/0.png", "train/b/1.png", "test/a/2.png"]):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(encoded(PIXELS[number]))
    assert values(load_source(str(tmp_path), "train")) == [0, 1]
    assert values(load_source(str(tmp_path), "test")) == [2]
    with pytest.raises(CorpusNotFoundError, match="has no split 'extra': its splits are"):
        load_source(str(tmp_path), "extra")


def test_a_folder_of_parquet_files(tmp_path):
    write_parquet(tmp_path / "train.parquet", 2)
    write_parquet(tmp_path / "validation.parquet", 3)
    assert len(load_source(str(tmp_path), "train")) == 2
    assert len(load_source(str(tmp_path), "test")) == 3


@streaming
def test_a_folder_of_shards(tmp_path, streaming):
    write_shard(tmp_path / "shard-0.tar", 0, 2)
    assert values(load_source(str(tmp_path), "train", streaming=streaming)) == [0, 1]


@streaming
def test_webdataset_shards(tmp_path, streaming):
    write_shard(tmp_path / "shard-0.tar", 0, 2)
    write_shard(tmp_path / "shard-1.tar", 2, 2)
    dataset = load_source(str(tmp_path / "shard-*.tar"), "train", streaming=streaming)
    assert values(dataset) == [0, 1, 2, 3]
    assert [row["label"] for row in dataset] == [0, 1, 0, 1]


@streaming
@pytest.mark.parametrize("shape", [(8, 8, 3), (8, 8), (8, 8, 1)])
def test_an_array_of_images(tmp_path, streaming, shape):
    array = PIXELS.reshape(6, -1)[:, : int(np.prod(shape))].reshape(6, *shape)
    np.save(tmp_path / "images.npy", array)
    dataset = load_source(str(tmp_path / "images.npy"), "train", streaming=streaming)
    assert [np.asarray(row["image"]).ravel()[0] for row in dataset] == list(range(6))
    assert {row["image"].mode for row in dataset} == {"RGB" if shape == (8, 8, 3) else "L"}


@streaming
@pytest.mark.parametrize("array", [np.zeros((3, 8, 8, 3)), np.zeros((3, 8), np.uint8), np.array([{}])])
def test_an_array_of_something_else_is_an_error(tmp_path, streaming, array):
    np.save(tmp_path / "images.npy", array)
    with pytest.raises(CorruptFileError, match="images.npy"):
        load_source(str(tmp_path / "images.npy"), "train", streaming=streaming)


def test_an_empty_folder_is_an_error(tmp_path):
    with pytest.raises(CorpusNotFoundError, match="holds no images, parquet files or shards"):
        load_source(str(tmp_path), "train")


def test_a_text_file(tmp_path):
    (tmp_path / "lines.txt").write_text("first line\nsecond line\n")
    assert load_source(str(tmp_path / "lines.txt"), "train")["text"][:] == ["first line", "second line"]


def test_another_kind_of_file_is_an_error(tmp_path):
    (tmp_path / "image.xyz").write_text("?")
    with pytest.raises(ValueError, match=r"image\.xyz' cannot be read: name a file \.parquet"):
        load_source(str(tmp_path / "image.xyz"), "train")


@pytest.mark.parametrize("source", ["no_such_set", "./no/such/path", "missing.parquet"])
def test_what_is_nowhere_is_an_error_of_one_sentence(source):
    with pytest.raises(CorpusNotFoundError, match=f"no corpus, file or folder {source!r}") as error:
        load_source(source, "train")
    assert "\n" not in str(error.value)


def test_a_misspelt_corpus_is_answered_with_the_nearest_name(tmp_path):
    write_parquet(tmp_path / "my_textures" / "test.parquet")
    with pytest.raises(CorpusNotFoundError, match="did you mean 'my_textures'"):
        load_source("my_texture", "test", tmp_path)


def test_the_nearest_split_is_taken(tmp_path, caplog):
    write_parquet(tmp_path / "one" / "test.parquet", 2)
    caplog.set_level("WARNING")
    write_parquet(tmp_path / "two" / "train.parquet", 2)
    write_parquet(tmp_path / "two" / "valid.parquet", 3)
    assert len(load_source("one", "train", tmp_path)) == 2
    assert "the only one, 'test', is used" in caplog.text
    assert len(load_source("two", "test", tmp_path)) == 3
    # A corpus that has the split elsewhere is not replaced by another split of it.
    write_parquet(tmp_path / "cifar10" / "train.parquet", 2)
    with pytest.raises(CorpusNotFoundError):
        load_source("cifar10", "test", tmp_path)


def test_a_dataset_on_the_hub(monkeypatch):
    asked = []

    def load_dataset(repo, config, *, split, streaming):
        asked.append((repo, config, split))
        return datasets.Dataset.from_dict({"sentence": ["a b"], "labels": [1]})

    monkeypatch.setattr(datasets, "get_dataset_split_names", lambda repo, config: ["train", "validation"])
    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    assert load_source("user/some.name:config", "test")[0] == {"text": "a b", "label": 1}
    assert asked == [("user/some.name", "config", "validation")]
    with pytest.raises(CorpusNotFoundError, match="no split 'extra': its splits are train, validation"):
        load_source("user/name", "extra")


def test_a_dataset_on_the_hub_that_needs_a_configuration(monkeypatch):
    def names(repo, config):
        raise ValueError("Config name is missing.\nPlease pick one among the available configs: ['a', 'b']")

    monkeypatch.setattr(datasets, "get_dataset_split_names", names)
    with pytest.raises(CorpusNotFoundError, match="Config name is missing.: name one of its") as error:
        load_source("user/name", "train")
    assert "\n" not in str(error.value)


def test_a_dataset_on_the_hub_without_a_network():
    with pytest.raises(CorpusNotFoundError, match="Hub dataset 'user/name' is out of reach") as error:
        load_source("user/name", "train")
    assert "\n" not in str(error.value)


@pytest.fixture
def array_file(tmp_path):
    images = np.arange(20_000, dtype=np.uint16).view(np.uint8).reshape(20_000, 1, 2)
    np.save(tmp_path / "images.npy", images)
    return str(tmp_path / "images.npy")


def numbers(rows):
    return [int(np.asarray(row["image"]).copy().view(np.uint16)[0, 0]) for row in rows]


@pytest.mark.parametrize("world_size", [1, 2, 4])
def test_a_stream_of_an_array_is_dealt_out_by_blocks(array_file, world_size):
    stream = load_source(array_file, "train", streaming=True)
    assert stream.num_shards % world_size == 0
    shares = [numbers(split_dataset_by_node(stream, rank, world_size)) for rank in range(world_size)]
    assert sorted(itertools.chain(*shares)) == list(range(20_000))


def test_a_stream_of_an_array_is_shuffled_by_blocks_and_within_a_buffer(array_file):
    stream = load_source(array_file, "train", streaming=True).shuffle(seed=1, buffer_size=2000)
    first = numbers(stream)
    assert sorted(first) == list(range(20_000)) and first != sorted(first)
    assert np.ptp(first[:500]) > 2000
    assert numbers(stream) == first
    stream.set_epoch(1)
    assert numbers(stream) != first


@pytest.mark.parametrize("taken", [0, 7, 3000])
@pytest.mark.parametrize("buffer_size", [1, 100])
def test_a_stopped_stream_goes_on_where_it_was(array_file, taken, buffer_size):
    def stream():
        source = load_source(array_file, "train", streaming=True)
        return OutlierStream(source.shuffle(seed=0, buffer_size=buffer_size), rank=1, world_size=2)

    whole = numbers(stream().take(taken + 50))
    stopped = stream()
    stopped.take(taken)
    state = stopped.state_dict()
    resumed = stream()
    resumed.load_state_dict(state)
    assert numbers(resumed.take(50)) == whole[taken:]
