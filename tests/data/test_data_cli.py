"""`python -m hf_oe.data`."""

import errno
from pathlib import Path

import datasets
import pytest

from hf_oe.data.__main__ import main
from hf_oe.data.corpora import load_corpus


@pytest.fixture
def data_dir(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "wmt16_sentences").write_text("one\ntwo\n")
    for split in ("train", "valid", "test"):
        (folder / f"ptb.{split}.txt").write_text(f"{split} sentence\n")
    return folder


def test_list_says_what_there_is_and_what_is_here(data_dir, capsys):
    datasets.Dataset.from_dict({"text": ["mine"]}).to_parquet(data_dir / "my_set" / "train.parquet")
    assert main(["list", "--data_dir", str(data_dir)]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert "test anomaly" in lines["wmt16"] and "test: data_dir, original files" in lines["wmt16"]
    assert "train 604,388" not in lines["svhn"] and lines["svhn"].endswith("-")
    assert "made on the spot" in lines["gaussian"]
    assert "your own" in lines["my_set"]


def test_info(data_dir, capsys):
    assert main(["info", "tiny_images_80m", "--data_dir", str(data_dir)]) == 0
    text = capsys.readouterr().out
    assert "withdr" in text and "md5:ef8fc8899c7cd6ae15800f8767a10e80" in text
    with pytest.raises(SystemExit, match="Unknown corpus 'nothing'"):
        main(["info", "nothing"])


def test_prepare_writes_what_an_air_gapped_machine_can_load(data_dir, tmp_path):
    output = tmp_path / "output"
    arguments = [
        "prepare",
        "wmt16",
        "ptb",
        "ptb_char",
        "gaussian",
        "--output",
        str(output),
        "--data_dir",
        str(data_dir),
    ]
    assert main(arguments) == 0
    files = sorted(str(path.relative_to(output)) for path in output.rglob("*") if path.is_file())
    assert files == sorted(
        ["wmt16/test.parquet"]
        + [f"{name}/{split}.parquet" for name in ("ptb", "ptb_char") for split in ("train", "valid", "test")]
    )
    assert load_corpus("wmt16", "test", output)["text"][:] == ["one", "two"]
    assert load_corpus("ptb_char", "valid", output)[0]["text"].startswith("v a l i d _")


def test_prepare_keeps_what_is_finished_and_goes_on_with_the_rest(data_dir, tmp_path, monkeypatch):
    output = tmp_path / "output"
    arguments = ["prepare", "ptb", "--output", str(output), "--data_dir", str(data_dir)]
    write = datasets.Dataset.to_parquet

    def interrupted(self, path, *args, **kwargs):
        write(self, path, *args, **kwargs)
        if "valid" in path:
            raise KeyboardInterrupt

    monkeypatch.setattr(datasets.Dataset, "to_parquet", interrupted)
    with pytest.raises(KeyboardInterrupt):
        main(arguments)
    assert [path.name for path in (output / "ptb").iterdir()] == ["train.parquet"]
    before = (output / "ptb" / "train.parquet").stat().st_mtime_ns

    monkeypatch.setattr(datasets.Dataset, "to_parquet", write)
    assert main(arguments) == 0
    assert sorted(path.stem for path in (output / "ptb").iterdir()) == ["test", "train", "valid"]
    assert (output / "ptb" / "train.parquet").stat().st_mtime_ns == before


def test_prepare_some_splits(data_dir, tmp_path):
    arguments = ["prepare", "ptb", "--splits", "test", "--output", str(tmp_path / "o"), "--data_dir", str(data_dir)]
    assert main(arguments) == 0
    assert [path.name for path in Path(tmp_path / "o" / "ptb").iterdir()] == ["test.parquet"]


def test_prepare_goes_on_past_what_it_cannot_have_and_says_so(data_dir, tmp_path, capsys):
    arguments = ["prepare", "icons50", "imagenet22k", "wmt16", "--output", str(tmp_path / "o")]
    assert main([*arguments, "--data_dir", str(data_dir)]) == 1
    errors = capsys.readouterr().err
    assert "icons50/test: Corpus 'icons50'" in errors and "imagenet22k/train: Corpus 'imagenet22k' is too" in errors
    assert (tmp_path / "o" / "wmt16" / "test.parquet").exists()


def test_an_unknown_corpus_and_a_wrong_folder_end_the_command_with_one_sentence(tmp_path):
    with pytest.raises(SystemExit, match="Unknown corpus 'mnits': did you mean 'mnist'"):
        main(["prepare", "mnist", "mnits", "--output", str(tmp_path)])
    with pytest.raises(SystemExit, match="`data_dir` '/no/such' is not a folder"):
        main(["list", "--data_dir", "/no/such"])


def test_a_full_disk_ends_the_command_with_one_sentence(data_dir, tmp_path, monkeypatch):
    def full(self, path, *args, **kwargs):
        Path(path).write_bytes(b"half of it")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(datasets.Dataset, "to_parquet", full)
    with pytest.raises(SystemExit, match=r"The disk is full while writing .*wmt16.test\.parquet: make room"):
        main(["prepare", "wmt16", "--output", str(tmp_path / "o"), "--data_dir", str(data_dir)])
    assert not any(path.is_file() for path in (tmp_path / "o").rglob("*"))
