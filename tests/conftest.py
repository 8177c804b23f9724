"""Fixtures that several tests share."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def test_data():
    """Return a function that gives the path of a real data file, or skips, saying so."""
    folder = Path(os.environ.get("XCT_TEST_DATA", ROOT.parent / "shared" / "data"))

    def find(name: str) -> Path:
        if not (folder / name).exists():
            pytest.skip(f"real data {name} not found below {folder}; set XCT_TEST_DATA")
        return folder / name

    return find
