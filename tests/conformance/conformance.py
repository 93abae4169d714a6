"""What the tests against public suites share: the rows of ../shared/data, and `postern … --batch`."""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from support import TOP, program  # noqa: E402

SHARED = os.environ.get("POSTERN_SHARED", os.path.join(TOP, "..", "shared"))


def shared_path(*parts):
    path = os.path.join(SHARED, "data", *parts)
    assert os.path.exists(path), f"{path} is missing; POSTERN_SHARED names the directory it is in"
    return path


def shared_rows(*parts):
    with open(shared_path(*parts), encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def batch(*words_and_lines):
    """batch("dkim", "verify", lines): the answers, in order; every line has an id and gets an answer."""
    *words, lines = words_and_lines
    text = "".join(json.dumps(line) + "\n" for line in lines)
    done = subprocess.run([program("src", "postern"), *words, "--batch"], input=text, capture_output=True, text=True,
                          timeout=300)
    assert not done.stderr, done.stderr[-4000:]
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [a["id"] for a in answers] == [line["id"] for line in lines]
    return answers
