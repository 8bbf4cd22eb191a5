"""Damaged files and wrong arguments are refused by clear errors; `python -m tests.malformed` tries many more."""

import pytest

from .malformed import KINDS, answers


@pytest.mark.parametrize("kind", KINDS)
def test_malformed_input_is_taken_or_refused_by_a_clear_error(tmp_path, kind):
    found = answers(kind, range(4 if kind in ("parquet", "config") else 12), tmp_path)
    assert set(found.values()) <= {"taken", "refused"}, found
    assert "refused" in found.values() or kind == "image"
