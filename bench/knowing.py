# SPDX-License-Identifier: GPL-2.0-or-later
"""Benches of what a gate must know: SPF, the meaning of replies, DKIM, and the batch verbs."""

import json
import os
import resource
import subprocess
import time

from world import TOP, Fault, finish, median, spread, table

DATA = os.path.join(os.environ.get("POSTERN_SHARED", os.path.join(TOP, "..", "shared")), "data", "bounces")


def replies():
    """The labelled replies of the data."""
    with open(os.path.join(DATA, "sisimai-reply-reason.tsv"), encoding="utf-8") as f:
        head, *rows = [line.split("\t") for line in f.read().split("\n") if line]
    return [row[head.index("reply")] for row in rows]


def bench_program(world, name, *flags, text=""):
    """A bench that is one program in process: its own table and JSON."""
    done = subprocess.run([world.tool(name), *flags], input=text, stdout=subprocess.PIPE, text=True, timeout=300, check=False)
    print(done.stdout)
    if done.returncode != 0:
        raise Fault(f"{name} ended with {done.returncode}")


def bench_spf(world, args):
    """Evaluations and lint with scripted DNS, beside libspf2."""
    bench_program(world, "spf_bench")


def bench_classify(world, args):
    """The labelled replies of the data through our rules, and through KumoMTA's."""
    bench_program(world, "classify_bench", os.path.join(DATA, "kumomta", "rules.tsv"),
                  text="".join(f"{text}\n" for text in replies()))


def bench_dkim(world, args):
    """Verification beside OpenSSL alone; what has to be hashed and verified in any case is the measure."""
    bench_program(world, "dkim_bench")


def batch_lines(args):
    """Lines for each verb; each line of `spf check` brings its own DNS."""
    texts = replies()
    zone = [["a.example", "TXT", "v=spf1 mx a:h.example include:b.example -all"], ["a.example", "MX", [10, "h.example"]],
            ["b.example", "TXT", "v=spf1 ip4:192.0.2.0/24 ip4:203.0.113.0/24 ip6:2001:db8::/32 -all"],
            ["h.example", "A", "198.51.100.1"]]
    makers = {
        "address check": lambda i: {"address": f"user{i}@d{i % 1000}.example.org"},
        "explain": lambda i: {"text": texts[i % len(texts)]},
        "spf lint": lambda i: {"record": f"v=spf1 ip4:13.1.{i % 250}.0/24 a:m{i % 100}.example.org mx -all",
                               "dns": [[f"m{i % 100}.example.org", "A", "192.0.2.1"]]},
        "spf check": lambda i: {"ip": f"192.0.2.{i % 250}", "helo": "m.a.example", "from": "joe@a.example", "dns": zone},
    }
    return {verb: "".join(json.dumps({"id": i, **make(i)}) + "\n" for i in range(args.lines)) for verb, make in makers.items()}


def one_batch(world, verb, text, args):
    """Lines a second of wall time, and of the program's own processor time."""
    path = os.path.join(world.directory, "lines.jsonl")
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    argv = [os.path.join(world.build, "src", "postern"), *verb.split(), "--batch"]
    with open(path, "rb") as lines:
        begun = time.monotonic()
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(argv, stdin=lines, stdout=subprocess.PIPE, check=False, timeout=300)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        took = time.monotonic() - begun
    if done.returncode not in (0, 1) or done.stdout.count(b"\n") != args.lines:
        raise Fault(f"{verb} --batch: status {done.returncode}, {done.stdout.count(10)} answers")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"wall": args.lines / took, "cpu": args.lines / cpu}


def bench_batch(world, args):
    """`--batch` from file to pipe: JSON read and written, everything included."""
    texts = batch_lines(args)
    rounds = {verb: [] for verb in texts}
    for _ in range(args.rounds):
        for verb, text in texts.items():
            rounds[verb].append(one_batch(world, verb, text, args))
    middle = {verb: {what: median([r[what] for r in rounds[verb]]) for what in ("wall", "cpu")} for verb in texts}
    table(f"batch: {args.lines:,} lines of each verb, {args.rounds} rounds, medians",
          [("", "lines/s", "a second of processor time", "rounds (lines/s)")] +
          [(verb, f"{m['wall']:,.0f}", f"{m['cpu']:,.0f}", spread([r["wall"] for r in rounds[verb]]))
           for verb, m in middle.items()])
    finish("batch", {"median": middle, "rounds": rounds})
