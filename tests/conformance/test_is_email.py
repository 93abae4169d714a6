# SPDX-License-Identifier: GPL-2.0-or-later
"""`postern address check` beside the two collections of is_email; docs/decisions/0006 explains each row that differs."""
import json

from conformance import batch, shared_path

# id of tests.tsv -> what we say
DIFFERENT = {"26": True, "59": True, "60": True, "71": True, "160": True}
# start of the address in skeggse-tests.json -> what we say
DIFFERENT_THERE = {"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghiklmn@": True, "\U0001f606" * 10: True,
                   '"abcdefghijklmnopqrstuvwxyz abcdefghijklmnopqrstuvwxyz abcdefg': True, "test@\U0001f606": False,
                   "test@\U000103ff": False}
VALID_THERE = {"valid", "rfc5321AddressLiteral", "rfc5321QuotedString", "rfc5321TLDNumeric", "deprecatedIPv6"}


def check(rows):
    """rows of (name, address, wanted): names of those that are judged otherwise, with our verdict."""
    answers = batch("address", "check", [{"id": i, "address": address} for i, (_, address, _) in enumerate(rows)])
    return {name: a["valid"] for (name, _, want), a in zip(rows, answers) if a["valid"] != want}


def test_is_email():
    with open(shared_path("is_email", "tests.tsv"), encoding="utf-8", newline="\n") as f:
        rows = [line.rstrip("\n").split("\t") for line in f][1:]
    assert len(rows) == 164
    assert check([(r[0], json.loads(r[1]), r[5] == "yes") for r in rows]) == DIFFERENT


def test_skeggse():
    with open(shared_path("is_email", "skeggse-tests.json"), encoding="utf-8") as f:
        rows = json.load(f)
    whole = [(a, a, diagnosis in VALID_THERE) for a, diagnosis in rows if not any(0xd800 <= ord(c) < 0xe000 for c in a)]
    assert (len(rows), len(whole)) == (210, 205)
    different = check(whole)
    for address, ours in different.items():
        assert any(address.startswith(start) and ours == said for start, said in DIFFERENT_THERE.items()), (ascii(address), ours)
    assert len(different) == 6
