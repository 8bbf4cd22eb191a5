"""Decontamination: altered copies are found and blamed on the right image, others are left alone."""

import io

import datasets
import numpy as np
import pytest
from PIL import Image

from hf_oe.data.decontaminate import decontaminate, decontaminate_text, drop_classes
from tests.pictures import as_dataset, structured_images


def jpeg(picture):
    buffer = io.BytesIO()
    picture.save(buffer, "jpeg", quality=75)
    return Image.open(buffer)


def mirror(picture):
    return picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def shift(picture, down, across):
    """By a pixel; what comes in at the border is black."""
    padded = np.pad(np.asarray(picture), ((1, 1), (1, 1), (0, 0)))
    return Image.fromarray(padded[1 - down : 33 - down, 1 - across : 33 - across])


ALTERATIONS = {
    "re-encoded": jpeg,
    "mirrored": mirror,
    "shifted right": lambda picture: shift(picture, 0, 1),
    "shifted up": lambda picture: shift(picture, -1, 0),
    "shifted down and left": lambda picture: shift(picture, 1, -1),
    "resized": lambda picture: picture.resize((64, 64), Image.Resampling.BICUBIC),
    "resized and back": lambda picture: picture.resize((64, 64)).resize((32, 32), Image.Resampling.BILINEAR),
    "all of it": lambda picture: jpeg(mirror(shift(picture, 1, 1))).resize((48, 48), Image.Resampling.BICUBIC),
}


@pytest.fixture(scope="module")
def in_distribution():
    return structured_images(60, seed=0)


def test_exact_copies_are_removed_and_the_others_stay_in_order(in_distribution):
    others = structured_images(20, seed=1)
    outliers = as_dataset([*others[:10], in_distribution[7], *others[10:], in_distribution[3]])
    clean, report = decontaminate(outliers, as_dataset(in_distribution))
    assert [np.asarray(picture).tolist() for picture in clean["image"]] == others.tolist()
    assert [(match.index, match.corpus, match.corpus_index, match.kind) for match in report.matches] == [
        (10, "in_distribution", 7, "exact"),
        (21, "in_distribution", 3, "exact"),
    ]


@pytest.mark.parametrize("name", ALTERATIONS)
def test_altered_copies_are_found(in_distribution, name):
    copies = [ALTERATIONS[name](Image.fromarray(picture)) for picture in in_distribution]
    outliers = as_dataset([*structured_images(20, seed=1), *copies])
    clean, report = decontaminate(outliers, as_dataset(in_distribution))
    assert len(clean) == 20
    assert [match.index for match in report.matches] == list(range(20, 80))
    assert [match.corpus_index for match in report.matches] == list(range(60))
    assert {match.kind for match in report.matches} == {"near"}
    assert {match.mirrored for match in report.matches} == {name in ("mirrored", "all of it")}


def test_distance_is_zero_for_a_mirror_image_and_positive_after_compression(in_distribution):
    picture = Image.fromarray(in_distribution[0])
    _, report = decontaminate(as_dataset([mirror(picture), jpeg(picture)]), as_dataset(in_distribution))
    mirrored, compressed = report.matches
    assert mirrored.distance == 0 < compressed.distance < 16


def test_limits_decide_what_is_near(in_distribution):
    outliers = as_dataset([jpeg(Image.fromarray(in_distribution[0]))])
    for limits in ({"max_distance": 0.01}, {"max_relative_distance": 0.0001}):
        clean, _ = decontaminate(outliers, as_dataset(in_distribution), **limits)
        assert len(clean) == 1


def test_noise_without_contrast_is_not_confused():
    noise = np.clip(np.random.default_rng(0).normal(120, 1, (40, 32, 32)), 0, 255).astype(np.uint8)
    clean, _ = decontaminate(noise[:20], noise[20:])
    assert len(clean) == 20


def test_strokes_at_other_places_are_not_confused():
    crosses = []
    for row in range(4, 28, 4):
        for column in range(4, 16, 4):
            cross = np.full((32, 32), 255, np.uint8)
            cross[row, 4:28] = cross[4:28, column] = 0
            crosses.append(cross)
    clean, _ = decontaminate(np.stack(crosses[::2]), np.stack(crosses[1::2]))
    assert len(clean) == 9


def test_flat_images_are_removed_only_as_exact_copies():
    flat = np.full((1, 32, 32, 3), 200, np.uint8)
    clean, report = decontaminate(np.concatenate([flat, flat + 1]), flat)
    assert clean.tolist() == (flat + 1).tolist()
    assert report.matches[0].kind == "exact"


def test_arrays_and_datasets_give_the_same_matches(in_distribution):
    outliers = np.concatenate([structured_images(5, seed=1), in_distribution[:5, :, ::-1]])
    clean, from_arrays = decontaminate(outliers, in_distribution)
    _, from_datasets = decontaminate(as_dataset(outliers), as_dataset(in_distribution))
    assert from_arrays == from_datasets
    np.testing.assert_array_equal(clean, outliers[:5])


def test_grey_images_and_large_ones_are_compared_too():
    pictures = structured_images(20, seed=0, size=96)
    grey = [Image.fromarray(picture).convert("L") for picture in pictures]
    small = [picture.resize((28, 28), Image.Resampling.LANCZOS) for picture in grey]
    _, report = decontaminate(as_dataset(small), as_dataset(grey))
    assert [match.corpus_index for match in report.matches] == list(range(20))


def test_results_do_not_depend_on_the_chunks(in_distribution, monkeypatch):
    outliers = np.concatenate([structured_images(10, seed=1), in_distribution[::-1, :, ::-1], in_distribution[:5]])
    _, whole = decontaminate(outliers, in_distribution)
    for name, size in {"_CHUNK": 16, "_DECODED": 7, "_QUERIES": 5, "_REFERENCES": 9, "_PAIRS": 4}.items():
        monkeypatch.setattr(f"hf_oe.data.decontaminate._images.{name}", size)
    _, parts = decontaminate(outliers, in_distribution)
    assert [(match.index, match.corpus_index) for match in parts.matches] == [
        (match.index, match.corpus_index) for match in whole.matches
    ]
    assert len(whole.matches) == 65


def test_report_counts_each_set_and_becomes_markdown(in_distribution):
    anomalies = structured_images(10, seed=2)
    outliers = np.concatenate([structured_images(4, seed=1), in_distribution[:2], anomalies[:3, :, ::-1]])
    _, report = decontaminate(outliers, in_distribution, {"textures": anomalies, "other": structured_images(5, 3)})
    assert report.counts() == {
        "in_distribution": {"exact": 2, "near": 0},
        "textures": {"exact": 0, "near": 3},
        "other": {"exact": 0, "near": 0},
    }
    text = report.to_markdown(max_matches=3)
    assert "5 of 9 outliers (55.56%) were removed" in text
    assert "| textures | 10 | 0 | 3 |" in text
    assert "| 4 | in_distribution 0 | exact | 0 |" in text
    assert "| 6 | textures 0 | near, mirrored | 0 |" in text
    assert "2 more are not listed" in text


def test_an_image_in_several_sets_counts_for_the_first(in_distribution):
    _, report = decontaminate(in_distribution[:1], in_distribution[:, :, ::-1], {"test": in_distribution})
    assert [match.corpus for match in report.matches] == ["in_distribution"]


def test_wrong_images_are_named(in_distribution):
    images = as_dataset(in_distribution[:2])
    for arguments, error, message in [
        ((as_dataset(in_distribution[:2], "picture"), images), ValueError, "`outliers` has no column 'image'"),
        ((images, as_dataset(in_distribution[:2], "x")), ValueError, "`in_distribution` has no .* columns are x"),
        ((images, images, {"svhn": [1]}), TypeError, "`svhn` is a list"),
        ((in_distribution / 255, images), TypeError, "`outliers` is an array of float64"),
        ((in_distribution.transpose(0, 3, 1, 2), images), ValueError, "shape"),
        ((images, in_distribution[:0]), ValueError, "`in_distribution` is empty"),
        ((images, images, {"in_distribution": images}), ValueError, "rename"),
    ]:
        with pytest.raises(error, match=message):
            decontaminate(*arguments)


# ---- Text ----

NEWS = "the quick brown fox jumps over the lazy dog while the slow red hen watches from her warm nest"


def as_texts(*texts, column="text"):
    return datasets.Dataset.from_dict({column: list(texts)})


def test_texts_are_found_whole_in_part_and_within_longer_ones():
    outliers = as_texts(
        NEWS,
        NEWS.title() + "!",
        " ".join(NEWS.split()[4:16]),
        "a sentence about something else entirely , namely how to make bread at home",
        NEWS.replace("fox", "cat").replace("dog", "cow").replace("hen", "owl"),
        "",
    )
    clean, report = decontaminate_text(outliers, as_texts("an unrelated line", NEWS))
    assert [(match.index, match.corpus_index, match.kind, match.distance) for match in report.matches] == [
        (0, 1, "exact", 0),
        (1, 1, "near", 0),
        (2, 1, "near", 0),
    ]
    assert clean["text"][:] == outliers.select([3, 4, 5])["text"][:]


def test_overlap_decides_and_is_reported():
    half = " ".join(NEWS.split()[:10]) + " and then it all ended"
    outliers, reference = as_texts(half), as_texts(NEWS)
    assert len(decontaminate_text(outliers, reference, ngram=8, min_overlap=0.5)[0]) == 1
    clean, report = decontaminate_text(outliers, reference, ngram=8, min_overlap=0.3)
    assert len(clean) == 0
    # 15 words have 8 8-grams; the first 3 are in the reference.
    assert report.matches[0].distance == pytest.approx(5 / 8)


def test_short_texts_match_only_as_a_whole():
    questions = as_texts("Who wrote Hamlet ?", "What is an atom ?")
    clean, report = decontaminate_text(as_texts("who wrote hamlet", "who wrote", "an atom"), questions)
    assert clean["text"][:] == ["who wrote", "an atom"]
    assert report.counts()["in_distribution"] == {"exact": 0, "near": 1}


def test_preprocessed_text_is_compared_with_raw_text():
    raw = as_texts("Sales rose 12 % in 1988 to a record , the company said .", "= <unk> =")
    treebank = as_texts("sales rose N % in N to a record the company said", "<unk>")
    clean, report = decontaminate_text(raw, treebank)
    assert [(match.index, match.distance) for match in report.matches] == [(0, 0)]
    assert clean["text"][:] == ["= <unk> ="]


def test_texts_of_test_anomalies_are_removed_too():
    _, report = decontaminate_text(as_texts(NEWS), as_texts("something else"), {"wmt": as_texts("x", NEWS)})
    assert (report.matches[0].corpus, report.matches[0].corpus_index) == ("wmt", 1)
    assert "8-grams" in report.to_markdown()


def test_wrong_texts_are_named():
    texts = as_texts(NEWS)
    for arguments, options, error, message in [
        ((as_texts(NEWS, column="line"), texts), {}, ValueError, "`outliers` has no column 'text'.*line"),
        ((texts, [NEWS]), {}, TypeError, "`in_distribution` is a list"),
        ((texts, texts.select([])), {}, ValueError, "`in_distribution` is empty"),
        ((texts, texts), {"ngram": 0}, ValueError, "`ngram` is 0"),
        ((texts, texts), {"min_overlap": 1.5}, ValueError, "`min_overlap` is 1.5"),
    ]:
        with pytest.raises(error, match=message):
            decontaminate_text(*arguments, **options)


# ---- Classes ----

CLASSES = ["n02123045: tabby, tabby cat", "n02106662: German shepherd, police dog", "n07753592: banana"]


def labelled(labels, names):
    features = datasets.Features({"label": datasets.ClassLabel(names=names)})
    return datasets.Dataset.from_dict({"label": labels}, features=features)


@pytest.mark.parametrize("name", ["n02123045", "tabby", "Tabby_cat", CLASSES[0]])
def test_classes_go_by_any_of_their_names(name):
    dataset = labelled([0, 1, 2, 0, 1], CLASSES)
    assert drop_classes(dataset, [name])["label"][:] == [1, 2, 1]


def test_several_classes_of_a_column_of_strings():
    dataset = datasets.Dataset.from_dict({"wnid": ["n1", "n2", "n3", "n1"]})
    assert drop_classes(dataset, ["n1", "n3"], "wnid")["wnid"][:] == ["n2"]


def test_no_names_leave_everything():
    assert len(drop_classes(labelled([0, 1, 2], CLASSES), [])) == 3


def test_wrong_classes_are_named():
    dataset = labelled([0, 1], CLASSES).add_column("score", [0.5, 1.5])
    for arguments, error, message in [
        ((dataset, ["bananna"]), ValueError, "'bananna'.*did you mean 'banana'"),
        ((dataset, "banana"), TypeError, "give a list"),
        ((dataset, ["banana"], "class"), ValueError, "'class' is not in the dataset, whose columns are label, score"),
        ((dataset, ["banana"], "score"), TypeError, "'score' holds"),
    ]:
        with pytest.raises(error, match=message):
            drop_classes(*arguments)
