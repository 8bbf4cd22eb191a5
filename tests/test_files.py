"""Files are complete or absent."""

import pytest

from hf_oe.files import replacing


def test_a_file_appears_whole(tmp_path):
    with replacing(tmp_path / "a.txt") as temporary:
        temporary.write_text("one")
        assert not (tmp_path / "a.txt").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_a_failure_leaves_the_former_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("before")
    with pytest.raises(RuntimeError, match="disk"), replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError("disk")
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]
