import pytest

from .runs import write_run


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory):
    """Only to read."""
    return write_run(tmp_path_factory.mktemp("runs") / "run")
