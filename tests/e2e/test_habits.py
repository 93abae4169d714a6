"""Every habit of the lab against the running gate: no wrong certainty, and the final answer within two attempts."""
import json
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

CERTAIN = {"exists", "absent", "catch_all"}


def table(world):
    out = subprocess.run([world.lab_binary, "table"], capture_output=True, text=True, check=True).stdout
    return [json.loads(line) for line in out.splitlines()]


def answers(world, address, expected):
    """The verdicts of up to two attempts of a client that comes back."""
    got = [world.verify(address)]
    if got[0]["verdict"] == "temporary" and expected != "temporary":
        time.sleep(8)
        got.append(world.verify(address))
    return got


def test_no_wrong_certainty(world):
    world.start_gate()
    cases = [(f"{local}@{row['domain']}", row[which]) for row in table(world)
             for local, which in (("anna", "known"), ("nosuchuser", "unknown"))]
    assert len({address.split("@")[1] for address, _ in cases}) >= 30
    with ThreadPoolExecutor(12) as pool:
        results = list(pool.map(lambda c: answers(world, *c), cases))
    wrong = []
    for (address, expected), got in zip(cases, results):
        if any(g["verdict"] in CERTAIN and g["verdict"] != expected for g in got):
            wrong.append((address, expected, "wrong certainty", got))
        elif got[-1]["verdict"] != expected:
            wrong.append((address, expected, "not the final answer", got))
    assert not wrong, json.dumps(wrong, indent=1)
