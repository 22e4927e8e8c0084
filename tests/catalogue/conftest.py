from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def sample() -> Path:
    """Data in OpenFintech's shape, of our own writing, with rows that cannot be taken."""
    return Path(__file__).parent / "sample"
