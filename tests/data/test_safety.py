"""Files of others run nothing and write nothing outside of their place."""

import io
import pickle
import tarfile
import zipfile
from pathlib import Path

import pytest
import torch
from PIL import Image

from hf_oe.checkpoints import write_manifest
from hf_oe.data.corpora._archives import members
from hf_oe.data.corpora._errors import CorruptFileError
from hf_oe.data.corpora._formats import read_cifar
from hf_oe.data.images import decode
from tests.tiny import Vectors, tiny_trainer


class Evil:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


def add(archive: tarfile.TarFile, name: str, content: bytes, kind: bytes = tarfile.REGTYPE, target: str = "") -> None:
    member = tarfile.TarInfo(name)
    member.size, member.type, member.linkname = len(content), kind, target
    archive.addfile(member, io.BytesIO(content))


def test_a_pickle_that_runs_a_program_is_refused(tmp_path):
    with tarfile.open(tmp_path / "cifar.tar", "w") as archive:
        add(archive, "test_batch", pickle.dumps(Evil(tmp_path / "was_here")))
    with pytest.raises(CorruptFileError, match="it asks for io.open, which array data does not need"):
        list(read_cifar(str(tmp_path / "cifar.tar"), ("test_batch",)))
    assert not (tmp_path / "was_here").exists()


def test_members_outside_of_the_archives_folder_are_read_in_place_and_links_are_passed_over(tmp_path):
    (tmp_path / "secret").write_text("secret")
    folder = tmp_path / "inner"
    folder.mkdir()
    with tarfile.open(folder / "a.tar", "w") as archive:
        add(archive, "../escaped", b"content")
        add(archive, "/tmp/hf_oe_escaped", b"content")
        add(archive, "link", b"", tarfile.SYMTYPE, "../secret")
        add(archive, "device", b"", tarfile.CHRTYPE)
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        archive.writestr("../escaped", b"content")
    assert [name for name, _ in members(str(folder / "a.tar"))] == ["../escaped", "/tmp/hf_oe_escaped"]
    assert list(members(str(folder / "a.zip"))) == [("../escaped", b"content")]
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.tar", "a.zip", "inner", "secret"]
    assert not Path("/tmp/hf_oe_escaped").exists()


def test_a_checkpoint_that_runs_a_program_is_refused(tmp_path):
    trainer = tiny_trainer(tmp_path / "run", Vectors(50, labelled=False), max_steps=2)
    trainer.train()
    checkpoint = tmp_path / "run" / "checkpoint-2"
    torch.save({"ledger": Evil(tmp_path / "was_here")}, checkpoint / "resume_state_0.pt")
    write_manifest(checkpoint)
    with pytest.raises(pickle.UnpicklingError, match="[Ww]eights.only"):
        tiny_trainer(tmp_path / "run", Vectors(50, labelled=False)).train(resume_from_checkpoint=True)
    assert not (tmp_path / "was_here").exists()


def test_an_image_bomb_is_not_decoded():
    content = b"P4 60000 60000\n" + bytes(100)
    assert isinstance(decode({"bytes": content, "path": None}), Image.DecompressionBombError)
