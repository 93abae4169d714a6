# SPDX-License-Identifier: GPL-2.0-or-later
"""Cached answers to a Postfix's questions: Postern's policy door beside postgrey, and Postfix's own verify(8)."""

import json
import os
import subprocess
import time

from peers import Postfix, Postgrey
from world import Fault, Gate, Sink, finish, median, spread, start_names, table

TCP_PORT = 2640
KNOWN = 100      # senders, each of a domain of its own; from 200 client addresses
GOAL_PER_S, GOAL_MS = 40000, 2


def ask(world, to, **flags):
    """One run of bench/policy_load."""
    argv = [world.tool("policy_load"), "--to", to, "--modulo", str(KNOWN)]
    for key, value in flags.items():
        argv += ["--" + key] + ([] if value is True else [str(value)])
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120, check=False)
    if done.returncode != 0:
        raise Fault(f"policy_load: {done.stderr.strip()}")
    return json.loads(done.stdout)


def warm(world, to, wanted, **flags):
    """Until every question is answered as `wanted` from memory."""
    for _ in range(30):
        seen = ask(world, to, requests=2 * KNOWN, sessions=20, **flags)["actions"]
        if set(seen) == {wanted}:
            return
        time.sleep(1)
    raise Fault(f"{to} does not come to know the senders: {seen}")


class Postern:
    """Verification on; answers come from its cache, with exceptions, SPF, and a trail for each message."""

    flags, wanted = {}, "dunno"

    def __init__(self, world, scheme="unix"):
        path = world.path("gate", "run", "policy.sock")
        self.to = f"unix:{path}" if scheme == "unix" else f"127.0.0.1:{TCP_PORT}"
        self.gate = Gate(world, verify={"mode": "enforce", **Gate.NO_BUDGETS},
                         policy_door={"listen": [f"unix:{path}", f"127.0.0.1:{TCP_PORT}"]})

    def notes(self):
        stats = {m["name"]: m["value"] for m in self.gate.ask("stats")["metrics"] if m["name"] == "postern_trails_dropped_total"}
        return {"cpu_s": self.gate.cpu_s(), "trails_dropped": stats["postern_trails_dropped_total"]}

    def end(self):
        self.gate.end()


class Verify:
    """Postfix asks its verify(8) over a Unix socket for each address; the map is in its memory and on disk."""

    flags, wanted = {"verify": True}, "0"

    def __init__(self, world):
        self.postfix = Postfix(world, more=Postfix.VERIFY)
        self.to = "unix:" + os.path.join(self.postfix.home, "queue", "private", "verify")

    def notes(self):
        return {}

    def end(self):
        self.postfix.end()


class Greylist(Postgrey):
    flags, wanted = {}, "DUNNO"

    def notes(self):
        return {}


class Ceiling:
    """A server that says dunno to everything: the generator's limit, and the machine's."""

    flags, wanted = {}, "dunno"

    def __init__(self, world):
        path = world.path("policy.sink")
        if os.path.exists(path):
            os.unlink(path)
        self.world, self.to = world, "unix:" + path
        self.process = world.start([world.tool("policy_sink"), path], "policy_sink")
        while not os.path.exists(path):
            time.sleep(0.02)

    def notes(self):
        return {}

    def end(self):
        self.world.end(self.process)


SIDES = {"Postern, Unix socket": Postern, "Postern, TCP": lambda world: Postern(world, "tcp"),
         "Postfix 3.7 verify(8), Unix socket": Verify, "postgrey 1.37, Unix socket": Greylist,
         "a server that says dunno": Ceiling}


def one_side(world, side, args):
    """As many as it can in closed loop, then its latency in open loop at half of that, and Postern's at half of the goal."""
    server = SIDES[side](world)
    try:
        warm(world, server.to, server.wanted, **server.flags)
        before = server.notes()
        most = ask(world, server.to, seconds=args.seconds, sessions=50, **server.flags)
        after = server.notes()
        half = min(most["per_s"], 2 * GOAL_PER_S) / 2
        rate = GOAL_PER_S / 2 if side.startswith(("Postern", "a server")) else half
        calm = ask(world, server.to, seconds=args.seconds, sessions=50, rate=rate, **server.flags)
        if set(most["actions"]) | set(calm["actions"]) != {server.wanted}:
            raise Fault(f"{side}: {most['actions']}, {calm['actions']}")
        notes = {"cpu_us_each": 1e6 * (after["cpu_s"] - before["cpu_s"]) / most["answered"],
                 "trails_dropped": after["trails_dropped"] - before["trails_dropped"]} if before else {}
        return {"per_s": most["per_s"], "ms": most["ms"], "rate": rate, "rate_per_s": calm["per_s"], "rate_ms": calm["ms"], **notes}
    finally:
        server.end()


def bench_policy(world, args):
    Sink(world)
    Sink(world, 2602, "--users", "a")
    start_names(world)
    rounds = {side: [] for side in SIDES}
    for _ in range(args.rounds):
        for side in SIDES:
            rounds[side].append(one_side(world, side, args))
    middle = {side: {"per_s": median([r["per_s"] for r in runs]), "rate": median([r["rate"] for r in runs]),
                     **{p: median([r["rate_ms"][p] for r in runs]) for p in ("p50", "p99", "max")}}
              for side, runs in rounds.items()}
    best = middle["Postern, Unix socket"]
    table(f"policy: answers from memory, 50 connections with one question each, {args.rounds} rounds of {args.seconds} s, medians",
          [("", "answers/s", "rounds", "at", "p50 ms", "p99 ms", "max ms")] +
          [(side, f"{m['per_s']:,.0f}", spread([r["per_s"] for r in rounds[side]]), f"{m['rate']:,.0f}/s",
            f"{m['p50']:.2f}", f"{m['p99']:.2f}", f"{m['max']:.1f}") for side, m in middle.items()] +
          [("processor time of Postern for each, us",
            f"{median([r['cpu_us_each'] for r in rounds['Postern, Unix socket']]):.1f}"),
           (f"goal: {GOAL_PER_S:,}/s", "met" if best["per_s"] >= GOAL_PER_S else "NOT met"),
           (f"goal: p99 below {GOAL_MS} ms at half of it", "met" if best["p99"] < GOAL_MS else "NOT met")])
    finish("policy", {"median": middle, "rounds": rounds})
