"""Each builder reads a small archive in the original format that the test makes, and copes with a damaged member."""

import gzip
import io
import json
import logging
import pickle
import struct
import tarfile
import zipfile

import numpy as np
import pytest
import scipy.io
from PIL import Image

from hf_oe.data.corpora import CorruptFileError, list_corpora, load_corpus

PIXELS = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
BROKEN = b"\x89PNG this is no image"


def encoded(pixels, kind="PNG"):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def tar(path, members, mode="w:gz"):
    with tarfile.open(path, mode) as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path.read_bytes()


def zipped(path, members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def idx(array):
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def rows(name, split, folder, **options):
    return list(load_corpus(name, split, folder, **options))


def pixels_of(row):
    return np.asarray(row["image"])


def cut(path, bytes_kept=0.5):
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * bytes_kept)])


def test_every_corpus_says_what_a_user_must_know():
    corpora = list_corpora()
    assert len(corpora) >= 35
    for name, info in corpora.items():
        assert info.name == name
        assert info.splits and info.description and info.licence and info.citation and info.homepage
        assert set(info.roles) <= {"in-distribution", "outlier", "test anomaly", "validation anomaly"}
        assert info.modality in ("image", "text")
        assert set(info.files) <= set(info.splits)
        for checksum in info.checksums.values():
            algorithm, _, digest = checksum.partition(":")
            assert len(digest) == {"md5": 32, "sha256": 64}[algorithm]


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_idx(name, tmp_path):
    folder = tmp_path / name
    folder.mkdir()
    grey = PIXELS[:3, :28, :28, 0].copy()
    (folder / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(grey)))
    (folder / "t10k-labels-idx1-ubyte").write_bytes(idx(np.array([7, 0, 9], np.uint8)))
    found = rows(name, "test", tmp_path)
    assert [row["label"] for row in found] == [7, 0, 9]
    np.testing.assert_array_equal(pixels_of(found[1]), grey[1])

    cut(folder / "t10k-images-idx3-ubyte.gz", 0.9)
    with pytest.raises(CorruptFileError, match="t10k-images-idx3-ubyte.gz is damaged"):
        rows(name, "test", tmp_path)


def test_idx_that_announces_more_than_it_holds(tmp_path):
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(idx(PIXELS[..., 0].copy())[:-5])
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(idx(np.zeros(4, np.uint8)))
    with pytest.raises(CorruptFileError, match="4,096 bytes of data were announced, 4,091 are there"):
        rows("mnist", "test", tmp_path)


def test_negative_mnist_is_mnist_inverted(tmp_path):
    grey = PIXELS[:2, :28, :28, 0].copy()
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(idx(grey))
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(idx(np.array([1, 2], np.uint8)))
    for streaming in (False, True):
        found = rows("negative_mnist", "test", tmp_path, streaming=streaming)
        np.testing.assert_array_equal(pixels_of(found[1]), 255 - grey[1])


def test_svhn_counts_ten_as_zero(tmp_path):
    contents = {"X": PIXELS.transpose(1, 2, 3, 0), "y": np.array([[1], [10], [9], [10]], np.uint8)}
    scipy.io.savemat(tmp_path / "test_32x32.mat", contents)
    found = rows("svhn", "test", tmp_path)
    assert [row["label"] for row in found] == [1, 0, 9, 0]
    np.testing.assert_array_equal(pixels_of(found[2]), PIXELS[2])

    cut(tmp_path / "test_32x32.mat")
    with pytest.raises(CorruptFileError, match="test_32x32.mat is damaged"):
        rows("svhn", "test", tmp_path)


def cifar_batch(pixels, **labels):
    data = pixels.transpose(0, 3, 1, 2).reshape(len(pixels), -1)
    batch = {b"data": data} | {name.encode(): values for name, values in labels.items()}
    return pickle.dumps(batch, protocol=2)


def test_cifar10_reads_its_five_batches_in_order(tmp_path):
    members = {
        f"cifar-10-batches-py/data_batch_{number}": cifar_batch(PIXELS[:1] // number, labels=[number])
        for number in (3, 1, 5, 2, 4)
    }
    members["cifar-10-batches-py/test_batch"] = cifar_batch(PIXELS[1:], labels=[4, 5, 6])
    tar(tmp_path / "cifar-10-python.tar.gz", members)
    found = rows("cifar10", "train", tmp_path)
    assert [row["label"] for row in found] == [1, 2, 3, 4, 5]
    np.testing.assert_array_equal(pixels_of(found[1]), PIXELS[0] // 2)
    assert load_corpus("cifar10", "train", tmp_path).features["label"].names[0] == "airplane"

    del members["cifar-10-batches-py/data_batch_3"]
    tar(tmp_path / "cifar-10-python.tar.gz", members)
    with pytest.raises(CorruptFileError, match="it lacks data_batch_3"):
        rows("cifar10", "train", tmp_path)


def test_cifar100_has_fine_and_coarse_labels(tmp_path):
    batch = cifar_batch(PIXELS[:2], fine_labels=[99, 0], coarse_labels=[19, 1])
    tar(tmp_path / "cifar-100-python.tar.gz", {"cifar-100-python/test": batch, "cifar-100-python/train": b"broken"})
    found = rows("cifar100", "test", tmp_path)
    assert [(row["label"], row["coarse_label"]) for row in found] == [(99, 19), (0, 1)]
    with pytest.raises(CorruptFileError, match="member cifar-100-python/train"):
        rows("cifar100", "train", tmp_path)


def test_a_pickle_that_would_run_a_program_is_refused(tmp_path):
    class Malicious:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    batch = pickle.dumps({b"data": Malicious(), b"fine_labels": [0], b"coarse_labels": [0]})
    tar(tmp_path / "cifar-100-python.tar.gz", {"cifar-100-python/test": batch})
    with pytest.raises(CorruptFileError, match="which array data does not need"):
        rows("cifar100", "test", tmp_path)
    assert not (tmp_path / "ran").exists()


def test_places365_takes_the_listed_images(tmp_path):
    from hf_oe.data.corpora.places365 import test_subset

    subset = test_subset()
    assert len(subset) == 10_000
    every = [f"Places365_val_{number:08}.jpg" for number in range(1, 36_501)]
    inside = [name for name in every if name in subset][:2]
    outside = [name for name in every if name not in subset][:2]
    members = {f"val_256/{name}": encoded(PIXELS[0], "JPEG") for name in (*inside, *outside)}
    tar(tmp_path / "val_256.tar", members, "w")
    assert len(rows("places365", "test", tmp_path)) == 2


IMAGE_ARCHIVES = {
    "textures": (
        "dtd-r1.0.1.tar.gz",
        ["dtd/images/banded/banded_1.jpg", "dtd/images/zigzagged/zigzagged_2.jpg"],
        ["dtd/labels/train1.txt"],
        [0, 46],
    ),
    "icons50": (
        "Icons-50.tar",
        ["Icons-50/airplane/apple_1.png", "Icons-50/tree/google_2.png"],
        ["Icons-50/numbers/apple_3.png"],
        None,
    ),
    "notmnist": (
        "notMNIST_small.zip",
        ["notMNIST_small/A/a.png", "notMNIST_small/J/b.png"],
        ["__MACOSX/notMNIST_small/A/._a.png", "notMNIST_small/A/.hidden.png"],
        [0, 9],
    ),
    "omniglot": (
        "images_background.zip",
        ["images_background/Greek/character01/1_01.png", "images_background/Latin/character02/2_01.png"],
        ["images_background/Tifinagh/character01/3_01.png"],
        [7, 13],
    ),
    "chars74k": (
        "EnglishImg.tgz",
        ["English/Img/GoodImg/Bmp/Sample011/a.png", "English/Img/GoodImg/Bmp/Sample062/b.png"],
        [
            "English/Img/GoodImg/Bmp/Sample001/zero.png",
            "English/Img/GoodImg/Bmp/Sample025/O.png",
            "English/Img/GoodImg/Msk/Sample011/mask.png",
            "English/Img/BadImag/Bmp/Sample011/bad.png",
        ],
        [10, 61],
    ),
}


@pytest.mark.parametrize("name", IMAGE_ARCHIVES)
def test_archives_of_images_are_read_in_place_without_what_the_paper_leaves_out(name, tmp_path, caplog):
    file_name, kept, left_out, labels = IMAGE_ARCHIVES[name]
    broken = kept[0].rpartition("/")[0] + "/broken.png"
    members = {member: encoded(PIXELS[place]) for place, member in enumerate(kept)}
    members |= {member: encoded(PIXELS[3]) for member in left_out} | {broken: BROKEN}
    write = zipped if file_name.endswith("zip") else tar
    write(tmp_path / file_name, members)
    with caplog.at_level(logging.WARNING):
        found = rows(name, "test", tmp_path)
    np.testing.assert_array_equal([pixels_of(row) for row in found], PIXELS[:2])
    if labels:
        assert [row["label"] for row in found] == labels
    assert "1 of 3 images" in caplog.text and broken in caplog.text
    assert not list(tmp_path.glob("*/*.png"))


def test_an_image_that_would_fill_the_memory_is_left_out(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500)
    small, large = PIXELS[0, :20, :20], PIXELS[0]
    zipped(tmp_path / "notMNIST_small.zip", {"small/A/1.png": encoded(small), "small/A/2.png": encoded(large)})
    with caplog.at_level(logging.WARNING):
        assert len(rows("notmnist", "test", tmp_path)) == 1
    assert "small/A/2.png" in caplog.text


def test_an_archive_without_one_readable_image_is_an_error(tmp_path):
    zipped(tmp_path / "notMNIST_small.zip", {"notMNIST_small/A/1.png": BROKEN})
    with pytest.raises(CorruptFileError, match="none of its 1 images can be decoded"):
        rows("notmnist", "test", tmp_path)


@pytest.mark.parametrize(("mode", "kept"), [("w", 0.3), ("w", 0.6), ("w:gz", 0.3), ("w:gz", 0.95)])
def test_a_tar_that_was_cut_short_is_an_error(mode, kept, tmp_path):
    members = {f"Icons-50/tree/{number}.png": encoded(PIXELS[number]) for number in range(4)}
    tar(tmp_path / "Icons-50.tar", members, mode)
    cut(tmp_path / "Icons-50.tar", kept)
    with pytest.raises(CorruptFileError, match="Icons-50.tar is damaged"):
        rows("icons50", "test", tmp_path)


def test_a_tar_that_breaks_off_between_two_members_is_an_error(tmp_path):
    with tarfile.open(tmp_path / "Icons-50.tar", "w") as archive:
        for number in range(2):
            content = encoded(PIXELS[number])
            member = tarfile.TarInfo(f"Icons-50/tree/{number}.png")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        end = archive.offset
    (tmp_path / "Icons-50.tar").write_bytes((tmp_path / "Icons-50.tar").read_bytes()[:end])
    with pytest.raises(CorruptFileError, match="no end mark"):
        rows("icons50", "test", tmp_path)


def test_lsun_from_its_folder_and_from_the_zip_file(tmp_path, caplog):
    lmdb = pytest.importorskip("lmdb")
    folder = tmp_path / "test_lmdb"
    with lmdb.open(str(folder), map_size=1 << 20) as environment, environment.begin(write=True) as transaction:
        transaction.put(b"b", encoded(PIXELS[1], "WEBP"))
        transaction.put(b"a", encoded(PIXELS[0], "WEBP"))
        transaction.put(b"c", BROKEN)
    own = tmp_path / "own"
    own.mkdir()
    zipped(own / "test_lmdb.zip", {"test_lmdb/data.mdb": (folder / "data.mdb").read_bytes()})
    with caplog.at_level(logging.WARNING):
        found = rows("lsun", "test", own)
    assert len(found) == 2 and pixels_of(found[0]).shape == (32, 32, 3)
    assert "1 of 3 images" in caplog.text

    zipped(own / "test_lmdb.zip", {"test_lmdb/data.mdb": b"nothing"})
    with pytest.raises(CorruptFileError, match="test_lmdb.zip is damaged"):
        rows("lsun", "test", own)


def test_tiny_imagenet(tmp_path):
    members = {
        "tiny-imagenet-200/train/n01443537/images/n01443537_0.JPEG": encoded(PIXELS[0], "JPEG"),
        "tiny-imagenet-200/train/n12267677/images/n12267677_0.JPEG": encoded(PIXELS[1], "JPEG"),
        "tiny-imagenet-200/train/n12267677/images/n12267677_1.JPEG": BROKEN,
        "tiny-imagenet-200/val/images/val_0.JPEG": encoded(PIXELS[2], "JPEG"),
        "tiny-imagenet-200/val/val_annotations.txt": b"val_0.JPEG\tn01629819\t0\t0\t10\t10\n",
        "tiny-imagenet-200/test/images/test_0.JPEG": encoded(PIXELS[3], "JPEG"),
    }
    zipped(tmp_path / "tiny-imagenet-200.zip", members)
    assert [row["label"] for row in rows("tiny_imagenet", "train", tmp_path)] == [0, 199]
    assert [row["label"] for row in rows("tiny_imagenet", "validation", tmp_path)] == [1]


def annotation(wordnet_id, *boxes):
    objects = "".join(
        f"<object><name>{wordnet_id}</name><bndbox><xmin>{left}</xmin><ymin>{top}</ymin><xmax>{right}</xmax>"
        f"<ymax>{bottom}</ymax></bndbox></object>"
        for left, top, right, bottom in boxes
    )
    return f"<annotation>{objects}</annotation>".encode()


def quarters():
    """A picture whose quarters are four greys."""
    picture = np.zeros((100, 200, 3), np.uint8)
    picture[:50, :100], picture[:50, 100:], picture[50:, :100], picture[50:, 100:] = 10, 80, 160, 240
    return encoded(picture)


def test_imagenet_keeps_the_classes_outside_tiny_imagenet_and_crops_by_the_largest_box(tmp_path):
    names = [f"ILSVRC2012_val_0000000{number}" for number in range(3)]
    tar(tmp_path / "ILSVRC2012_img_val.tar", {f"{name}.JPEG": quarters() for name in names}, "w")
    boxes = {
        f"val/{names[0]}.xml": annotation("n01440764", (0, 0, 5, 5), (110, 55, 140, 90)),
        f"val/{names[1]}.xml": annotation("n01443537", (0, 0, 50, 50)),
        f"val/{names[2]}.xml": annotation("n15075141", (0, 0, 40, 40)),
    }
    tar(tmp_path / "ILSVRC2012_bbox_val_v3.tgz", boxes)
    found = rows("imagenet", "test", tmp_path)
    assert [row["wordnet_id"] for row in found] == ["n01440764", "n15075141"]
    assert [row["image"].size for row in found] == [(64, 64)] * 2
    assert [np.unique(row["image"]).tolist() for row in found] == [[240], [10]]

    recrop = rows("tiny_imagenet_recrop", "valid", tmp_path)
    assert [row["label"] for row in recrop] == [0]

    tar(tmp_path / "ILSVRC2012_bbox_val_v3.tgz", boxes | {"val/broken.xml": b"<annotation><object>"})
    with pytest.raises(CorruptFileError, match="member val/broken.xml"):
        rows("imagenet", "test", tmp_path)


def test_tiny_imagenet_recrop_prefers_training_images_with_a_box(tmp_path, monkeypatch):
    monkeypatch.setattr("hf_oe.data.corpora.tiny_imagenet_recrop._IMAGES_PER_CLASS", 2)
    names = [f"n01443537_{number}" for number in range(3)]
    inner = tar(tmp_path / "inner", {f"{name}.JPEG": quarters() for name in names}, "w")
    tar(tmp_path / "ILSVRC2012_img_train.tar", {"n01443537.tar": inner, "n01440764.tar": b"not read"}, "w")
    boxes = {"n01443537/n01443537_2.xml": annotation("n01443537", (120, 60, 150, 80))}
    tar(tmp_path / "ILSVRC2012_bbox_train_v2.tar.gz", boxes)
    found = rows("tiny_imagenet_recrop", "train", tmp_path)
    assert [row["label"] for row in found] == [0, 0]
    assert np.unique(found[0]["image"]).tolist() == [240]
    assert len(np.unique(found[1]["image"])) > 4


def test_random_images_300k_as_a_dataset_and_as_a_stream(tmp_path):
    np.save(tmp_path / "300K_random_images.npy", PIXELS)
    for streaming in (False, True):
        found = rows("random_images_300k", "train", tmp_path, streaming=streaming)
        np.testing.assert_array_equal([pixels_of(row) for row in found], PIXELS)
    cut(tmp_path / "300K_random_images.npy")
    for streaming in (False, True):
        with pytest.raises(CorruptFileError, match="300K_random_images.npy is damaged"):
            rows("random_images_300k", "train", tmp_path, streaming=streaming)


def test_tiny_images_80m_without_those_of_cifar(tmp_path):
    with open(tmp_path / "tiny_images.bin", "wb") as file:
        for image in PIXELS:
            file.write(image.tobytes(order="F"))
    (tmp_path / "80mn_cifar_idxs.txt").write_text("2\n")
    found = rows("tiny_images_80m", "train", tmp_path, streaming=True)
    np.testing.assert_array_equal([pixels_of(row) for row in found], PIXELS[[0, 2, 3]])
    with pytest.raises(ValueError, match="streaming=True"):
        load_corpus("tiny_images_80m", "train", tmp_path)
    cut(tmp_path / "tiny_images.bin", 0.9)
    with pytest.raises(CorruptFileError, match=r"tiny_images\.bin"):
        load_corpus("tiny_images_80m", "train", tmp_path, streaming=True)


def test_imagenet22k_from_the_release_and_from_webdataset_shards(tmp_path):
    inside, outside = "n01440764", "n00005787"
    inner = {
        wordnet_id: tar(tmp_path / "inner", {f"{wordnet_id}_1.JPEG": encoded(PIXELS[place])}, "w")
        for place, wordnet_id in enumerate((inside, outside))
    }
    tar(tmp_path / "fall11_whole.tar", {f"{name}.tar": content for name, content in inner.items()}, "w")
    found = rows("imagenet22k", "train", tmp_path, streaming=True)
    np.testing.assert_array_equal([pixels_of(row) for row in found], PIXELS[1:2])

    folder = tmp_path / "imagenet22k"
    folder.mkdir()
    shard = {f"{name}_1.jpg": encoded(PIXELS[place]) for place, name in enumerate((inside, outside))}
    tar(folder / "shard-0000.tar", shard, "w")
    found = rows("imagenet22k", "train", tmp_path, streaming=True)
    assert [set(row) for row in found] == [{"image"}]
    np.testing.assert_array_equal(pixels_of(found[0]), PIXELS[1])


def test_ptb_by_words_and_by_characters(tmp_path):
    (tmp_path / "ptb.valid.txt").write_text(" no it was N \n\n consumers <unk> \n")
    assert [row["text"] for row in rows("ptb", "valid", tmp_path)] == ["no it was N", "consumers <unk>"]
    assert rows("ptb_char", "valid", tmp_path)[0]["text"] == "n o _ i t _ w a s _ N"
    (tmp_path / "ptb.valid.txt").write_bytes(b"caf\xe9\n")
    with pytest.raises(CorruptFileError, match=r"ptb\.valid\.txt is damaged"):
        rows("ptb", "valid", tmp_path)


@pytest.mark.parametrize(
    ("name", "file_name"), [("wikitext2", "wikitext-2-v1.zip"), ("wikitext103", "wikitext-103-v1.zip")]
)
def test_wikitext_drops_blank_lines(name, file_name, tmp_path):
    folder = file_name.removesuffix("-v1.zip")
    zipped(
        tmp_path / file_name,
        {
            f"{folder}/wiki.valid.tokens": " \n = Title = \n \n A line\u2028still the line \n",
            f"{folder}/other": "no\n",
        },
    )
    assert [row["text"] for row in rows(name, "valid", tmp_path)] == ["= Title =", "A line\u2028still the line"]
    cut(tmp_path / file_name)
    with pytest.raises(CorruptFileError, match=file_name):
        rows(name, "valid", tmp_path)


CONLLU = """\
# newdoc id = weblog-one
# sent_id = weblog-one-0001
1-2\tDon't\t_\t_\t_\t_\t_\t_\t_\t_
1\tDo\tdo\tAUX\t_\t_\t0\troot\t_\t_
2\tn't\tnot\tPART\t_\t_\t1\tadvmod\t_\t_
2.1\tghost\t_\t_\t_\t_\t_\t_\t_\t_

# sent_id = weblog-one-0002
1\tYes\tyes\tINTJ\t_\t_\t0\troot\t_\t_

"""


def test_english_web_treebank_puts_the_parts_together(tmp_path):
    for part in ("train", "dev", "test"):
        (tmp_path / f"en_ewt-ud-{part}.conllu").write_text(
            CONLLU.replace("weblog", {"dev": "email"}.get(part, "weblog"))
        )
    found = rows("english_web_treebank", "test", tmp_path)
    assert [row["text"] for row in found] == ["Do n't", "Yes"] * 3
    assert [row["domain"] for row in found] == ["weblog", "weblog", "email", "email", "weblog", "weblog"]
    assert found[3]["document"] == "email-one"

    (tmp_path / "en_ewt-ud-test.conllu").write_text(CONLLU[:-12])
    with pytest.raises(CorruptFileError, match="line 9 has"):
        rows("english_web_treebank", "test", tmp_path)


def test_newsgroups20_reads_subject_and_body(tmp_path):
    post = b"From: somebody\nSubject: Re: engines\nLines: 1\n\nBody \xe9\n\nMore\n"
    members = {
        "20news-bydate-train/sci.space/1": post,
        "20news-bydate-test/rec.autos/2": b"no header at all",
    }
    tar(tmp_path / "20news-bydate.tar.gz", members)
    (row,) = rows("newsgroups20", "train", tmp_path)
    assert (row["text"], row["label"], row["document"]) == ("Re: engines\nBody é\n\nMore\n", 14, "1")
    assert len(rows("newsgroups20", "test", tmp_path)) == 1
    cut(tmp_path / "20news-bydate.tar.gz")
    with pytest.raises(CorruptFileError):
        rows("newsgroups20", "test", tmp_path)


def test_newsgroups20_no_short(tmp_path):
    path = tmp_path / "20ng-test-no-short.txt"
    path.write_text("sci.med\tdoctor patient\nalt.atheism\tnothing\n")
    assert [(row["text"], row["label"]) for row in rows("newsgroups20_no_short", "test", tmp_path)] == [
        ("doctor patient", 13),
        ("nothing", 0),
    ]
    path.write_text("sci.med\tdoctor\nrubbish here\n")
    with pytest.raises(CorruptFileError, match="line 2"):
        rows("newsgroups20_no_short", "test", tmp_path)


def test_trec(tmp_path):
    (tmp_path / "TREC_10.label").write_bytes(b"NUM:dist How far is it ?\nHUM:ind Who was Galil\xe9o ?\n")
    found = rows("trec", "test", tmp_path)
    assert [(row["label"], row["fine_label"]) for row in found] == [(5, "dist"), (3, "ind")]
    assert found[1]["text"] == "Who was Galiléo ?"
    (tmp_path / "TREC_10.label").write_text("How far\n")
    with pytest.raises(CorruptFileError, match="line 1"):
        rows("trec", "test", tmp_path)


def test_sst_reads_the_words_and_the_label_of_the_whole_sentence(tmp_path):
    tree = "(3 (2 -LRB-) (3 (2 (2 A) (1 film)) (2 -RRB-)))"
    zipped(tmp_path / "trainDevTestTrees_PTB.zip", {"trees/dev.txt": tree + "\n", "trees/test.txt": "(3 (2 A"})
    (row,) = rows("sst", "valid", tmp_path)
    assert (row["text"], row["label"]) == ("( A film )", 3)
    with pytest.raises(CorruptFileError, match=r"line 1 of trees/test\.txt"):
        rows("sst", "test", tmp_path)


def test_snli_leaves_out_pairs_without_a_label(tmp_path):
    pairs = [
        {"gold_label": "contradiction", "sentence1": "A man.", "sentence2": "No man."},
        {"gold_label": "-", "sentence1": "A man.", "sentence2": "Unclear."},
    ]
    lines = "\n".join(map(json.dumps, pairs))
    zipped(tmp_path / "snli_1.0.zip", {"snli_1.0/snli_1.0_test.jsonl": lines, "snli_1.0/snli_1.0_dev.jsonl": "{"})
    (row,) = rows("snli", "test", tmp_path)
    assert (row["text"], row["label"]) == ("A man. No man.", 2)
    with pytest.raises(CorruptFileError, match=r"snli_1\.0_dev\.jsonl"):
        rows("snli", "valid", tmp_path)


def test_imdb(tmp_path):
    members = {
        "aclImdb/test/pos/1_9.txt": b"Great",
        "aclImdb/test/neg/1_1.txt": b"Bad",
        "aclImdb/test/urls_pos.txt": b"no",
        "aclImdb/train/unsup/1_0.txt": b"no",
    }
    tar(tmp_path / "aclImdb_v1.tar.gz", members)
    assert [(row["text"], row["label"]) for row in rows("imdb", "test", tmp_path)] == [("Great", 1), ("Bad", 0)]
    cut(tmp_path / "aclImdb_v1.tar.gz", 0.8)
    with pytest.raises(CorruptFileError):
        rows("imdb", "test", tmp_path)


def test_multi30k_removes_the_quotes_of_the_table(tmp_path):
    folder = tmp_path / "multi30k"
    folder.mkdir()
    (folder / "train.txt").write_text('"two young , white males"\na girl\n')
    assert [row["text"] for row in rows("multi30k", "test", tmp_path)] == ["two young , white males", "a girl"]


def test_wmt16_undoes_escapes(tmp_path):
    (tmp_path / "wmt16_sentences").write_text("the bank &apos;s plan &amp; more\n")
    assert rows("wmt16", "test", tmp_path) == [{"text": "the bank 's plan & more"}]


def test_yelp(tmp_path):
    table = '"5","Good ""food""\\nand more"\n"1","Bad"\n'
    members = {"yelp_review_full_csv/test.csv": table.encode(), "yelp_review_full_csv/train.csv": b'"x","no stars"\n'}
    tar(tmp_path / "yelp_review_full_csv.tar.gz", members)
    found = rows("yelp", "test", tmp_path)
    assert [(row["text"], row["label"]) for row in found] == [('Good "food"\nand more', 4), ("Bad", 0)]
    with pytest.raises(CorruptFileError, match=r"train\.csv"):
        rows("yelp", "train", tmp_path)


def test_gutenberg_in_paragraphs(tmp_path):
    folder = tmp_path / "gutenberg"
    folder.mkdir()
    (folder / "a.txt").write_bytes(b"First\r\nparagraph.\r\n\r\nSecond.\n\n\n")
    (folder / "b.txt").write_text("Third.\n")
    for streaming in (False, True):
        found = rows("gutenberg", "train", tmp_path, streaming=streaming)
        assert [row["text"] for row in found] == ["First paragraph.", "Second.", "Third."]


def test_noise_is_the_same_each_time():
    first = load_corpus("blobs", "test")
    assert len(first) == 10_000 and first[0]["pixel_values"].shape == (3, 32, 32)
    streamed = next(iter(load_corpus("blobs", "test", streaming=True)))
    np.testing.assert_array_equal(np.asarray(first[0]["pixel_values"]), np.asarray(streamed["pixel_values"]))


@pytest.mark.parametrize("name", ["cifar10", "svhn", "notmnist"])
def test_a_stream_of_an_archive_has_the_same_rows(name, tmp_path):
    tar(tmp_path / "cifar-10-python.tar.gz", {"c/test_batch": cifar_batch(PIXELS, labels=[0, 1, 2, 3])})
    scipy.io.savemat(tmp_path / "test_32x32.mat", {"X": PIXELS.transpose(1, 2, 3, 0), "y": np.arange(4)[:, None]})
    zipped(tmp_path / "notMNIST_small.zip", {f"n/{'ABCD'[i]}/{i}.png": encoded(PIXELS[i]) for i in range(4)})
    stream = load_corpus(name, "test", tmp_path, streaming=True)
    np.testing.assert_array_equal([pixels_of(row) for row in stream], PIXELS)
    assert [row["label"] for row in stream] == [0, 1, 2, 3]
