# SPDX-License-Identifier: GPL-2.0-or-later
"""bench/run replay: the same week of mail for Postern, for Exim's sender/callout,random and for Postfix's
reject_unverified_sender; what each refused, deferred and let pass, and how often each asked. docs/replay.md explains it."""

import json
import os
import shutil
import signal
import subprocess
import tempfile

import replay_mix
from peers import EXIM_CONF, Exim, Postfix
from world import Fault, MX_PORT, PEER_PORT, Sink, finish, table

WEEK = 7 * 86400

# Exim's own name for "verified by call-out", where each domain's server stands in a table instead of the DNS.
EXIM_ROUTERS = """begin routers
nowhere:
  driver = redirect
  domains = !lsearch;{routes}
  allow_fail
  data = :fail: no such domain
trouble:
  driver = redirect
  condition = ${{if eq{{${{lookup{{$domain}}lsearch{{{routes}}}}}}}{{defer}}}}
  allow_defer
  data = :defer: DNS trouble
all:
  driver = manualroute
  route_data = ${{lookup{{$domain}}lsearch{{{routes}}}}}
  host_find_failed = defer
  self = send
  transport = out
"""
EXIM_TIMES = """callout_positive_expire = {day}s
callout_negative_expire = {two_hours}s
callout_domain_positive_expire = {week}s
callout_domain_negative_expire = {three_hours}s
"""

POSTFIX_MORE = """
relay_domains = here.example
relayhost =
smtpd_sender_restrictions = reject_unverified_sender
unverified_sender_reject_code = 550
address_verify_map = btree:$data_directory/verify_cache
address_verify_transport_maps = texthash:{routes}
address_verify_relayhost =
address_verify_positive_refresh_time = {week}s
address_verify_positive_expire_time = {month}s
address_verify_negative_refresh_time = {three_hours}s
address_verify_negative_expire_time = {three_days}s
address_verify_cache_cleanup_interval = 0
# A queue that a week's probes pass in minutes must not be what they wait for.
initial_destination_concurrency = 50
default_destination_concurrency_limit = 100
smtp_destination_concurrency_limit = 100
"""


def seconds(real, speed):
    """A time of a cache, as fast as the week; no shorter than a second, which is the shortest that both know."""
    return max(1, round(real / speed))


def times(speed):
    return {"two_hours": seconds(7200, speed), "three_hours": seconds(3 * 3600, speed), "day": seconds(86400, speed),
            "three_days": seconds(3 * 86400, speed), "week": seconds(WEEK, speed), "month": seconds(31 * 86400, speed)}


def write_routes(path, mix, answer, none=None):
    """A line for each domain that has a server; our own is answered by a server that knows our users."""
    with open(path, "w", encoding="ascii") as f:
        for name, (kind, _, ip, _) in mix.domains.items():
            found = answer(kind, mix.google[0] if name == replay_mix.HERE else ip)
            if found:
                f.write(f"{name}{found}\n")
        if none:
            f.write(none)
    os.chmod(path, 0o644)


def start_exim(world, mix, speed, home):
    routes = world.path("exim.routes")
    write_routes(routes, mix, lambda kind, ip: {"mx": f": {ip}", "servfail": ": defer"}.get(kind))
    head, rest = EXIM_CONF.split("begin routers")
    conf = head.replace("begin acl", EXIM_TIMES + "begin acl") + EXIM_ROUTERS + "begin transports" + rest.split("begin transports")[1]
    return Exim(world, conf, home, routes=routes, **times(speed))


def start_postfix(world, mix, speed, home):
    routes = world.path("postfix.routes")
    write_routes(routes, mix, lambda kind, ip: {"mx": f" smtp:[{ip}]:{MX_PORT}", "servfail": " retry:4.4.3 DNS trouble"}.get(kind),
                 "* error:5.1.2 no such domain\n")
    return Postfix(world, 550, POSTFIX_MORE.format(routes=routes, **times(speed)), home)


def run_tool(world, *argv, timeout):
    done = subprocess.run([world.tool("replay"), *argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=timeout, check=False)
    if done.returncode != 0:
        raise Fault(f"replay {argv[0]}: {done.stderr.strip()[-400:]}")
    return json.loads(done.stdout)


def run_postern(world, mix_dir, mode):
    work = world.path("postern-" + mode)
    os.makedirs(work, exist_ok=True)
    return run_tool(world, "gate", "--mix", mix_dir, "--work", work, "--mode", mode, timeout=900), work


def run_clients(world, mix_dir, speed, args):
    return run_tool(world, "clients", "--mix", mix_dir, "--to", f"127.0.0.1:{PEER_PORT}", "--speed", str(speed), "--sessions", "500",
                    timeout=args.week * 4 + 300)


def run_peer(world, mix, mix_dir, start, args):
    """Hosts, peer and senders on real sockets; the week takes args.week seconds."""
    speed = WEEK / args.week
    hosts = subprocess.Popen([world.tool("replay"), "hosts", "--mix", mix_dir, "--port", str(MX_PORT), "--speed", str(speed)],
                             stdout=subprocess.PIPE, text=True, process_group=0)
    hosts.name = "hosts"
    world.processes.append(hosts)
    if hosts.stdout.readline().strip() != "ready":
        raise Fault("the senders' servers do not start")
    # In memory: the disk is not compressed, and Postfix writes a queue file for each question.
    memory = tempfile.mkdtemp(prefix="postern-replay-", dir="/dev/shm")
    os.chmod(memory, 0o755)
    server = start(world, mix, speed, os.path.join(memory, "peer"))
    try:
        got = run_clients(world, mix_dir, speed, args)
    finally:
        server.end()
        shutil.rmtree(memory, ignore_errors=True)
    hosts.send_signal(signal.SIGTERM)
    out, _ = hosts.communicate(timeout=30)
    world.processes.remove(hosts)
    counts = json.loads(out)
    return {**got, "sessions": counts["sessions"], "rcpts": counts["rcpts"]}


def summary(got):
    """Sums over the kinds of forged and of honest mail."""
    sums = {}
    for side in ("forged", "honest"):
        kinds = [k for name, k in got["kinds"].items() if name.startswith(side + "/")]
        sums[side] = {key: sum(k[key] for k in kinds) for key in kinds[0]}
    sums["probes"] = {"sessions": got["sessions"], "rcpts": got["rcpts"]}
    return sums


def share(part, whole):
    return f"{part:,} ({part / max(1, whole):.2%})"


def print_summary(sides):
    sums = {name: summary(got) for name, got in sides.items()}

    def row(title, cell):
        return (title, *(cell(s) for s in sums.values()))

    first = next(iter(sums.values()))
    table(f"replay: a week, {first['forged']['mails']:,} forged and {first['honest']['mails']:,} honest mails", [
        ("", *sums),
        row("forged: refused", lambda s: share(s["forged"]["refused"], s["forged"]["mails"])),
        row("forged: deferred, gave up", lambda s: share(s["forged"]["given_up"] + s["forged"]["broken"], s["forged"]["mails"])),
        row("forged: let pass", lambda s: share(s["forged"]["accepted"], s["forged"]["mails"])),
        row("honest: refused", lambda s: share(s["honest"]["refused"], s["honest"]["mails"])),
        row("honest: deferred for days, lost", lambda s: share(s["honest"]["given_up"] + s["honest"]["broken"], s["honest"]["mails"])),
        row("honest: deferred at first", lambda s: share(s["honest"]["deferred_first"], s["honest"]["mails"])),
        row("  of first contacts", lambda s: share(s["honest"]["first_deferred"], s["honest"]["first"])),
        row("sessions at strangers", lambda s: f"{s['probes']['sessions']:,}"),
        row("recipients asked there", lambda s: f"{s['probes']['rcpts']:,}"),
        ("latest mail sent late by, s", *(f"{got['late_s']:.0f}" for got in sides.values())),
    ])
    kinds = list(next(iter(sides.values()))["kinds"])
    table("refused, by kind of mail", [("", "mails", *sides)] + [
        (kind, f"{next(iter(sides.values()))['kinds'][kind]['mails']:,}",
         *(share(got["kinds"][kind]["refused"], got["kinds"][kind]["mails"]) for got in sides.values())) for kind in sorted(kinds)])
    return sums


def print_report(world, work):
    """What `postern report observe` says of the week in mode observe."""
    with open(os.path.join(work, "report.json"), encoding="utf-8") as f:
        report = json.load(f)
    would, honest = report["would"], report["honest"]
    table("postern report observe, of the same week in mode observe", [
        ("", "messages", "of senders that proved honest"),
        *((f"would {kind}", f"{would[kind]:,}", f"{honest[kind]:,}") for kind in ("refuse", "defer", "tag")),
        ("suggested exceptions", str(len(report["suggestions"])))])
    print(f"  {os.path.join(work, 'report.html')} and report.txt have all of it")
    return {"would": would, "honest": honest, "messages": report["messages"], "suggestions": report["suggestions"]}


def make_mix(world, args):
    mix_dir = world.path("mix")
    os.makedirs(mix_dir, exist_ok=True)
    forged = round(args.mails * 19 / 29)
    more = {} if args.greylisting is None else {"greylisting": args.greylisting}
    return replay_mix.write(mix_dir, forged=forged, honest=args.mails - forged, **more), mix_dir


def bench_replay(world, args):
    """A week of mail with forged senders, on the fake clock for Postern and compressed for its peers."""
    mix, mix_dir = make_mix(world, args)
    sides = {"Postern": run_postern(world, mix_dir, "enforce")[0]}
    _, work = run_postern(world, mix_dir, "observe")
    if not args.alone:
        sides["Exim 4.96"] = run_peer(world, mix, mix_dir, start_exim, args)
        sink = Sink(world)
        sides["Postfix 3.7"] = run_peer(world, mix, mix_dir, start_postfix, args)
        world.end(sink.process)
    sums = print_summary(sides)
    report = print_report(world, work)
    finish("replay", {"mix": replay_mix.describe(mix), "sums": sums, "observe": report, "sides": sides})
