import os
import shutil
import sys
import tempfile

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))

from world import World  # noqa: E402


@pytest.fixture
def make_world():
    made = []

    def make(config=None):
        w = World(tempfile.mkdtemp(prefix="postern-fault-"), config=config)
        made.append(w)
        return w

    yield make
    for w in made:
        w.close()
        shutil.rmtree(w.directory, ignore_errors=True)
