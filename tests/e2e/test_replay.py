"""A small week of the replay: the gate on the fake clock with its default budgets, and what its report says of it."""
import json
import os
import subprocess

from world import RELEASE, TOP


def test_a_week_within_the_default_budgets(tmp_path):
    done = subprocess.run([os.path.join(TOP, "bench", "run"), "replay", "--alone", "--mails", "2900", "--build", RELEASE,
                           "--work", str(tmp_path / "work")], capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr[-2000:] + done.stdout[-2000:]
    got = json.loads(done.stdout.splitlines()[-1])
    sums = got["sums"]["Postern"]
    forged, honest = sums["forged"], sums["honest"]
    assert (forged["mails"], honest["mails"]) == (1900, 1000)
    assert forged["refused"] >= 0.9 * forged["mails"], done.stdout
    assert honest["refused"] == 0 and honest["given_up"] == 0 and honest["broken"] == 0, done.stdout
    assert honest["first"] > 150 and honest["first_deferred"] <= 0.01 * honest["first"], done.stdout
    check_manners(got, sums)
    check_report(got, forged, honest, tmp_path)


def check_manners(got, sums):
    """Nobody was asked about what SPF, DNS or our own list of users answers."""
    kinds = got["sides"]["Postern"]["kinds"]
    free = sum(kinds["forged/" + k]["mails"] for k in ("spf", "no-domain", "freemail-spf", "freemail-silent", "ours-absent"))
    assert free > 300 and sums["probes"]["sessions"] < sums["forged"]["mails"] + sums["honest"]["mails"] - free - 600


def check_report(got, forged, honest, tmp_path):
    """Observing the same week foretells what enforce did: bots that come back after a 4xx are the difference."""
    would = got["observe"]["would"]
    assert abs(would["refuse"] - forged["refused"]) <= 0.02 * forged["mails"], (would, forged)
    assert would["defer"] <= 0.02 * forged["mails"]
    with open(tmp_path / "work" / "postern-observe" / "report.json") as f:
        report = json.load(f)
    week = [day for day in report["days"] if day["messages"] > 100]
    assert len(week) == 7 and all(day["would"]["refuse"] > 0 for day in week)
    assert not report["partial"] and report["left_out"] == 0
    # Every honest sender that would have been refused or deferred, and no forged one that was not written to.
    assert report["honest"]["refuse"] == 0, report["honest_senders"]
