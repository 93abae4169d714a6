import shutil
import tempfile

import pytest

from world import World


@pytest.fixture
def world():
    # pytest's own directories are closed to the account that the gate becomes.
    directory = tempfile.mkdtemp(prefix="postern-e2e-")
    try:
        w = World(directory)
        yield w
        w.close()
    finally:
        shutil.rmtree(directory, ignore_errors=True)
