"""Where corpora are looked for, and what a user is told when one cannot be had."""

import dataclasses
import errno
import hashlib
import logging
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import aiohttp
import datasets
import numpy as np
import pytest
from PIL import Image

from hf_oe.data.corpora import (
    CorpusInfo,
    CorpusNotFoundError,
    CorruptFileError,
    _files,
    _hub,
    first_classes,
    list_corpora,
    load_corpus,
    locate_corpus,
    random_subset,
    shots_per_class,
)
from hf_oe.data.corpora.wmt16 import Wmt16

SHARED = Path(__file__).parents[3] / "shared" / "data"


def write_images(path, colours):
    path.parent.mkdir(parents=True, exist_ok=True)
    images = [Image.new("RGB", (8, 8), (colour, 0, 0)) for colour in colours]
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["a", "b"])})
    labels = [place % 2 for place in range(len(images))]
    datasets.Dataset.from_dict({"image": images, "label": labels}, features=features).to_parquet(path)


def one_sentence(error):
    message = str(error.value)
    assert "\n" not in message and message.rstrip().endswith(".")
    return message


def test_a_parquet_file_of_the_users_comes_before_everything_else(tmp_path):
    write_images(tmp_path / "cifar10" / "test.parquet", [1, 2, 3])
    (tmp_path / "cifar-10-python.tar.gz").write_bytes(b"not looked at")
    for streaming in (False, True):
        rows = list(load_corpus("cifar10", "test", tmp_path, streaming))
        assert [row["image"].getpixel((0, 0))[0] for row in rows] == [1, 2, 3]
        assert [row["label"] for row in rows] == [0, 1, 0]


def test_data_dir_may_come_from_the_environment_and_hold_corpora_of_the_users_own(tmp_path, monkeypatch):
    write_images(tmp_path / "my_set" / "train.parquet", [5])
    write_images(tmp_path / "my_set" / "validation-00000-of-00002.parquet", [6])
    write_images(tmp_path / "my_set" / "validation-00001-of-00002.parquet", [7])
    monkeypatch.setenv("HF_OE_DATA_DIR", str(tmp_path))
    assert len(load_corpus("my_set", "train")) == 1
    assert len(load_corpus("my_set", "valid")) == len(load_corpus("my_set", "validation")) == 2
    with pytest.raises(CorpusNotFoundError, match="no split 'test': name one of train, valid"):
        load_corpus("my_set", "test")


def test_a_parquet_file_with_the_hubs_columns_gets_those_of_the_convention(tmp_path):
    dataset = datasets.Dataset.from_dict({"img": [Image.new("RGB", (8, 8))], "fine_label": [3], "coarse_label": [1]})
    (tmp_path / "cifar100").mkdir()
    dataset.to_parquet(tmp_path / "cifar100" / "test.parquet")
    for streaming in (False, True):
        (row,) = load_corpus("cifar100", "test", tmp_path, streaming)
        assert row["label"] == 3 and row["coarse_label"] == 1 and row["image"].size == (8, 8)


def test_a_corpus_may_be_derived_from_a_parquet_file(tmp_path):
    write_images(tmp_path / "mnist" / "test.parquet", [0, 200])
    row = load_corpus("negative_mnist", "test", tmp_path)[1]
    assert row["image"].getpixel((0, 0)) == (55, 255, 255)


@pytest.mark.parametrize("kept", [0.5, 0])
def test_a_damaged_parquet_file_is_named(tmp_path, kept):
    path = tmp_path / "cifar10" / "test.parquet"
    write_images(path, [1, 2])
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    with pytest.raises(CorruptFileError, match=r"cifar10.test\.parquet is damaged") as error:
        load_corpus("cifar10", "test", tmp_path)
    one_sentence(error)


def test_a_changed_archive_is_read_anew(tmp_path):
    (tmp_path / "wmt16_sentences").write_text("one\n")
    assert load_corpus("wmt16", "test", tmp_path)["text"][:] == ["one"]
    (tmp_path / "wmt16_sentences").write_text("one\ntwo\n")
    assert load_corpus("wmt16", "test", tmp_path)["text"][:] == ["one", "two"]


def test_an_unknown_corpus_is_answered_with_the_nearest_names():
    with pytest.raises(CorpusNotFoundError, match="did you mean 'cifar10' or 'cifar100'") as error:
        load_corpus("cifar", "test")
    one_sentence(error)


def test_an_unknown_split_is_answered_with_those_there_are():
    with pytest.raises(CorpusNotFoundError, match="no split 'extra': name one of train, test"):
        load_corpus("cifar10", "extra")


def test_a_data_dir_that_is_no_folder():
    with pytest.raises(NotADirectoryError, match="`data_dir` '/no/such/folder' is not a folder"):
        load_corpus("cifar10", "test", "/no/such/folder")


def test_without_a_network_the_error_says_what_was_tried_and_what_to_do(tmp_path):
    with pytest.raises(CorpusNotFoundError) as error:
        load_corpus("svhn", "test", tmp_path)
    message = one_sentence(error)
    for part in (
        str(tmp_path),
        "ufldl-stanford/svhn",
        "http://ufldl.stanford.edu/housenumbers/test_32x32.mat",
        "put svhn/test.parquet or svhn/test_32x32.mat into a folder",
        "python -m hf_oe.data prepare svhn",
    ):
        assert part in message


def test_a_corpus_without_a_public_home_says_so():
    with pytest.raises(CorpusNotFoundError, match=r"no public home is known.*icons50/Icons-50\.tar") as error:
        load_corpus("icons50", "test")
    one_sentence(error)


def test_the_hub_is_asked_only_once_whether_it_answers(monkeypatch):
    calls = []

    class Session:
        def head(self, *args, **kwargs):
            calls.append(args)
            raise ConnectionError("no network")

    monkeypatch.setattr(_hub, "get_session", Session)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    _hub.answers.cache_clear()
    for _ in range(2):
        with _hub.offline_unless_it_answers():
            assert datasets.config.HF_HUB_OFFLINE
    assert len(calls) == 1 and not datasets.config.HF_HUB_OFFLINE
    _hub.answers.cache_clear()


HUB_ROWS = {
    "cifar100": ({"img": [Image.new("RGB", (4, 4))], "fine_label": [3], "coarse_label": [1]}, "test"),
    "wikitext2": ({"text": ["", " = A = \n", "  \n"]}, "validation"),
    "snli": ({"premise": ["p", "q"], "hypothesis": ["h", "i"], "label": [-1, 2]}, "validation"),
    "trec": ({"text": ["How ?"], "label": [41], "label_coarse_original": ["NUM"]}, "test"),
    "textures": ({"image": [Image.new("RGB", (4, 4))], "label": [3]}, "train+test"),
    "gutenberg": ({"TEXT": ["A\nb.\n\nC."], "SOURCE": ["x"]}, "train"),
    "imagenet": ({"image": [Image.new("RGB", (4, 4))] * 2, "label": [0, 1]}, "validation"),
}
EXPECTED = {
    "cifar100": ({"image", "label", "coarse_label"}, "label", [3]),
    "wikitext2": ({"text"}, "text", ["= A ="]),
    "snli": ({"text", "premise", "hypothesis", "label"}, "text", ["q i"]),
    "trec": ({"text", "label"}, "label", [5]),
    "textures": ({"image", "label"}, "label", [3]),
    "gutenberg": ({"text"}, "text", ["A b.", "C."]),
    "imagenet": ({"image"}, "image", 1),
}


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("name", HUB_ROWS)
def test_copies_on_the_hub_get_the_columns_of_the_convention(name, streaming, monkeypatch):
    columns, hub_split = HUB_ROWS[name]
    info = list_corpora()[name]
    asked = []

    def load_dataset(repo, config, *, split, revision, streaming):
        asked.append((repo, split))
        # ImageNet's class 1 (goldfish) is in Tiny ImageNet, its class 0 (tench) is not.
        dataset = datasets.Dataset.from_dict(columns)
        return dataset.to_iterable_dataset() if streaming else dataset

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    split = next(split for split in info.splits if info.hub.splits.get(split, split) == hub_split)
    rows = list(load_corpus(name, split, streaming=streaming))
    expected_columns, column, values = EXPECTED[name]
    assert asked == [(info.hub.repo, hub_split)]
    assert all(set(row) == expected_columns for row in rows)
    assert len(rows) == values if isinstance(values, int) else [row[column] for row in rows] == values


def test_a_repository_that_has_changed_is_passed_over(tmp_path, monkeypatch):
    def load_dataset(*args, **kwargs):
        raise ValueError('Unknown split "test". Should be one of [].')

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    with pytest.raises(CorpusNotFoundError, match="Unknown split .* http://ufldl") as error:
        load_corpus("svhn", "test")
    one_sentence(error)


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A web server on this machine that has one file, and `datasets` willing to ask it."""
    content = b"one sentence\nanother one\n"

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.send_response(200 if self.path == "/wmt16_sentences" else 404)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()

        def do_GET(self):
            self.do_HEAD()
            self.wfile.write(content)

        def log_message(self, *args):
            pass

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(datasets.config, "DOWNLOADED_DATASETS_PATH", tmp_path / "downloads")
    web = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=web.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{web.server_port}", hashlib.md5(content).hexdigest()
    web.shutdown()
    web.server_close()


def published(monkeypatch, url, checksum):
    file = dataclasses.replace(Wmt16.corpus.files["test"][0], url=f"{url}/wmt16_sentences", checksum=checksum)
    monkeypatch.setattr(Wmt16, "corpus", dataclasses.replace(Wmt16.corpus, files={"test": (file,)}))


def test_a_download_is_verified_and_cached(server, monkeypatch, tmp_path):
    url, md5 = server
    published(monkeypatch, url, f"md5:{md5}")
    assert locate_corpus("wmt16", "test") is None
    assert load_corpus("wmt16", "test")["text"][:] == ["one sentence", "another one"]
    assert locate_corpus("wmt16", "test") == "cache"
    published(monkeypatch, "http://127.0.0.1:1", f"md5:{md5}")
    assert len(load_corpus("wmt16", "test")) == 2


@pytest.mark.parametrize("streaming", [False, True])
def test_a_download_with_a_wrong_checksum_is_named_and_removed(streaming, server, monkeypatch, tmp_path):
    url, md5 = server
    published(monkeypatch, url, "md5:" + "0" * 32)
    with pytest.raises(CorruptFileError, match=r"wmt16_sentences is damaged.*checksum is wrong.*removed") as error:
        list(load_corpus("wmt16", "test", streaming=streaming))
    one_sentence(error)
    assert not [path for path in (tmp_path / "downloads").rglob("*") if path.is_file() and path.suffix != ".lock"]
    published(monkeypatch, url, f"md5:{md5}")
    assert len(load_corpus("wmt16", "test")) == 2


def test_a_damaged_download_without_a_known_checksum_is_removed(server, monkeypatch, tmp_path):
    url, _ = server
    published(monkeypatch, url, None)

    def examples(self, split, path):
        raise CorruptFileError(path, "it makes no sense")
        yield

    monkeypatch.setattr(Wmt16, "examples", examples)
    with pytest.raises(CorruptFileError, match="it makes no sense"):
        load_corpus("wmt16", "test")
    assert not [path for path in (tmp_path / "downloads").rglob("*") if path.is_file() and path.suffix != ".lock"]


def test_a_file_that_is_gone_is_out_of_reach(server, monkeypatch):
    url, _ = server
    file = dataclasses.replace(Wmt16.corpus.files["test"][0], url=f"{url}/gone")
    monkeypatch.setattr(Wmt16, "corpus", dataclasses.replace(Wmt16.corpus, files={"test": (file,)}))
    with pytest.raises(CorpusNotFoundError, match=f"{url}/gone") as error:
        load_corpus("wmt16", "test")
    one_sentence(error)


def test_a_server_that_never_answers_is_given_up(monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(_files, "TIMEOUT", aiohttp.ClientTimeout(sock_read=0.1))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        published(monkeypatch, f"http://127.0.0.1:{silent.getsockname()[1]}", None)
        with pytest.raises(CorpusNotFoundError, match="wmt16_sentences") as error:
            load_corpus("wmt16", "test")
    one_sentence(error)


def test_a_users_own_file_with_another_checksum_is_used_with_a_warning_and_never_removed(tmp_path, caplog):
    path = tmp_path / "wmt16_sentences"
    path.write_text("mine\n")
    with caplog.at_level(logging.WARNING):
        assert len(load_corpus("wmt16", "test", tmp_path)) == 1
    assert "wmt16_sentences is not the published file" in caplog.text
    _files.discard(str(path))
    assert path.exists()


def test_a_full_disk_is_one_sentence(tmp_path, monkeypatch):
    (tmp_path / "wmt16_sentences").write_text("mine\n")

    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("datasets.arrow_writer.ArrowWriter.write", full)
    monkeypatch.setattr("datasets.arrow_writer.ArrowWriter.finalize", full)
    with pytest.raises(OSError, match="The disk is full while preparing wmt16: make room") as error:
        load_corpus("wmt16", "test", tmp_path)
    assert error.value.errno == errno.ENOSPC


def test_where_a_corpus_is(tmp_path):
    assert locate_corpus("wmt16", "test", tmp_path) is None
    (tmp_path / "wmt16_sentences").write_text("mine\n")
    assert locate_corpus("wmt16", "test", tmp_path) == "data_dir, original files"
    write_images(tmp_path / "mnist" / "test.parquet", [1])
    assert locate_corpus("negative_mnist", "test", tmp_path) == "data_dir"


def test_corpora_that_share_file_names_are_kept_apart(tmp_path):
    (tmp_path / "train.txt").write_text("some other text\n")
    with pytest.raises(CorpusNotFoundError):
        load_corpus("multi30k", "test", tmp_path)


def test_home_and_checksums_of_a_corpus():
    info = list_corpora()["cifar10"]
    assert isinstance(info, CorpusInfo)
    assert info.home == "Hub uoft-cs/cifar10, https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
    assert info.checksums == {"cifar-10-python.tar.gz": "md5:c58f30108f718f92721af3b95e74349a"}
    assert list_corpora()["tiny_images_80m"].home.startswith("none")


def labelled(labels):
    return datasets.Dataset.from_dict({"label": labels, "row": list(range(len(labels)))})


def test_first_classes():
    chosen = first_classes(labelled([5, 2, 9, 2, 5, 7]), 2)
    assert chosen["row"][:] == [0, 1, 3, 4]
    with pytest.raises(ValueError, match="`n` is 5: the dataset has 4 classes"):
        first_classes(labelled([5, 2, 9, 7]), 5)
    with pytest.raises(ValueError, match="`label_column` 'kind' is not in the dataset"):
        first_classes(labelled([1]), 1, "kind")


def test_random_subset_grows_with_n():
    dataset = labelled(list(range(100)))
    small, large = (random_subset(dataset, n, seed=3)["row"][:] for n in (10, 40))
    assert len(set(large)) == 40 and large[:10] == small
    assert random_subset(dataset, 10, seed=4)["row"][:] != small
    with pytest.raises(ValueError, match="`n` is 101: the dataset has 100 examples"):
        random_subset(dataset, 101)


def test_shots_per_class_grow_with_n():
    dataset = labelled([0, 1, 2, 0, 1, 0, 0, 1, 0])
    few, more = (shots_per_class(dataset, n, seed=1) for n in (1, 3))
    assert sorted(few["label"][:]) == [0, 1, 2] and sorted(more["label"][:]) == [0, 0, 0, 1, 1, 1, 2]
    assert set(few["row"][:]) < set(more["row"][:])
    with pytest.raises(ValueError, match="`n` must be at least 1 example of each class, got 0"):
        shots_per_class(dataset, 0)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the folder ../shared/data is not here")
def test_every_shared_corpus_loads_through_data_dir():
    found = sorted(SHARED.glob("*/*.parquet"))
    assert found
    for path in found:
        row = load_corpus(path.parent.name, path.stem, SHARED)[0]
        assert isinstance(row.get("image"), Image.Image) or row["text"]
        assert np.isscalar(row.get("label", 0))
