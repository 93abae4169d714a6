"""Runs every unit test, fuzz corpus and scenario that the build registered, one pytest case each."""
import json
import os
import subprocess

import pytest

BUILD = os.environ.get("POSTERN_BUILD", os.path.join(os.path.dirname(__file__), "..", "build-test"))


def registered():
    out = subprocess.run(["meson", "introspect", "--tests", BUILD], check=True, capture_output=True, text=True).stdout
    return json.loads(out)


@pytest.mark.parametrize("case", registered(), ids=lambda c: c["name"])
def test_unit(case):
    env = dict(os.environ, **case.get("env", {}))
    done = subprocess.run(case["cmd"], cwd=case.get("workdir") or BUILD, env=env, capture_output=True, text=True,
                          errors="replace", timeout=case.get("timeout", 300))
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-8000:]
