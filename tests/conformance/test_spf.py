# SPDX-License-Identifier: GPL-2.0-or-later
"""SPF against the public suites, through `postern spf check --batch`.

Every case of RFC 7208's suite must agree. Of the other suites every case must agree too, save those in DIFFERENCES; what
each of them is about stands in docs/decisions/0003-spf-suites.md.
"""
import json
import os
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import program

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

CASES = os.path.join(TOP, "..", "shared", "data", "spf", "spf-cases.jsonl")
SUITES = {"rfc7208": 203, "rfc4408": 191, "pyspf": 16, "blitiri": 21}

# (suite, id): what Postern says, where it says something else than the suite
DIFFERENCES = {
    ("pyspf", "default-modifier"): "neutral",
    ("pyspf", "default-modifier-harsh"): "neutral",
    ("blitiri", "resolution-with-10-lookups"): "permerror",
    ("blitiri", "mx-resolution-10-terms"): "none",
    ("blitiri", "mx-resolution-11-terms"): "none",
    ("blitiri", "one-mx-not-found"): "none",
    ("blitiri", "all-mx-not-found"): "none",
    ("blitiri", "include-not-found"): "none",
    ("blitiri", "redirect-not-found"): "none",
}


def zone(case):
    """Two rows of the file name an outcome where the type stands."""
    return [[name, "*", kind] if value is True else [name, kind, value] for name, kind, value in case["zone"]]


def cases():
    with open(CASES, encoding="utf-8") as f:
        return [json.loads(line) for line in f]


@pytest.fixture(scope="module")
def answers():
    """All cases in one batch: (case, answer) in order."""
    all_cases = cases()
    lines = "".join(json.dumps({"id": i, "ip": c["ip"], "helo": c["helo"], "from": c["mailfrom"], "dns": zone(c)}) + "\n"
                    for i, c in enumerate(all_cases))
    done = subprocess.run([program("src", "postern"), "spf", "check", "--batch"], input=lines, capture_output=True, text=True, timeout=120,
                          check=False)
    out = [json.loads(line) for line in done.stdout.splitlines()]
    assert [a["id"] for a in out] == list(range(len(all_cases))), done.stderr
    return list(zip(all_cases, out))


def disagrees(case, answer):
    if answer.get("result") not in case["expect"]:
        return f'{case["suite"]} {case["id"]}: {answer}, wanted {case["expect"]}'
    wanted = case.get("explanation")
    if wanted and wanted != "DEFAULT" and answer["explanation"] != wanted:
        return f'{case["suite"]} {case["id"]}: explanation {answer["explanation"]!r}, wanted {wanted!r}'
    if wanted == "DEFAULT" and answer["explanation"] is not None:
        return f'{case["suite"]} {case["id"]}: explanation {answer["explanation"]!r}, wanted none of the domain'
    return None


@pytest.mark.parametrize("suite", SUITES)
def test_suite(suite, answers):
    own = [(c, a) for c, a in answers if c["suite"] == suite]
    assert len(own) == SUITES[suite]
    wrong = []
    for case, answer in own:
        fault = disagrees(case, answer)
        named = DIFFERENCES.get((suite, case["id"]))
        if named is None and fault:
            wrong.append(fault)
        if named is not None and answer.get("result") != named:
            wrong.append(f'{suite} {case["id"]}: {answer}, our documents say {named}')
    assert not wrong, "\n".join(wrong)


def test_differences_are_documented():
    with open(os.path.join(TOP, "docs", "decisions", "0003-spf-suites.md"), encoding="utf-8") as f:
        text = f.read()
    for _, name in DIFFERENCES:
        assert f"`{name}`" in text
    assert not [key for key in DIFFERENCES if key[0] == "rfc7208"]
