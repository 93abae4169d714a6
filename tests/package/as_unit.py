#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs a command in a root directory under the restrictions of a systemd unit, without systemd:

    as_unit.py ROOT UNIT [--notify PATH] [--listen N] [-- COMMAND …]      (ExecStart when no command is given)

What is applied, from the unit's own lines: account, umask, descriptor limit, file system (ProtectSystem, ProtectHome,
PrivateTmp, PrivateDevices, ReadWritePaths, State- and RuntimeDirectory, ProtectProc, ProcSubset), capabilities, no new
privileges, user, mount, IPC and UTS namespaces, address families, namespaces, write-and-execute memory, set-id files,
personality, system calls by systemd's own sets, and the environment of notify, watchdog and socket activation (the
sockets are descriptors 3 and up). Cgroups are not there, so DeviceAllow and IPAddressDeny are not either; a key that
this file does not know ends it, so that a new line in the unit is not passed over in silence.
"""
import ctypes
import os
import pwd
import resource
import shlex
import stat
import subprocess
import sys

import seccomp

libc = ctypes.CDLL(None, use_errno=True)
NEWNS, NEWUTS, NEWIPC, NEWUSER = 0x20000, 0x4000000, 0x8000000, 0x10000000
ALL_NAMESPACES = 0x7e020080
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 1, 2, 4, 8, 32, 4096, 16384, 1 << 18
MNT_DETACH = 2
SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}[os.uname().machine]
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 24, 38

# Without a meaning here: what starts, restarts and stops the service, and what needs a manager.
NOT_OURS = {"Type", "ExecReload", "Restart", "RestartSec", "TimeoutStartSec", "TimeoutStopSec", "Group", "KeyringMode",
            "RemoveIPC", "ProtectClock", "ProtectControlGroups", "ProtectKernelLogs", "ProtectKernelModules",
            "ProtectKernelTunables", "RestrictRealtime", "AmbientCapabilities", "SystemCallErrorNumber"}


def failing(result, what):
    if result != 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


def read_unit(path):
    """[Service] as key → list of values; an empty value empties the list, as systemd has it."""
    values, section = {}, None
    with open(path) as f:
        for line in f:
            line = line.strip()
            if line.startswith("["):
                section = line
            elif section == "[Service]" and line and line[0] not in "#;":
                key, _, value = line.partition("=")
                values[key] = values.get(key, []) + [value] if value else []
    return values


def seconds(text):
    number = text.rstrip("minsec ")
    return int(number) * (60 if "min" in text else 1)


def mount(source, target, kind=None, flags=0, data=None):
    failing(libc.mount(*(x.encode() if x else None for x in (source, target, kind)), flags, data.encode() if data else None),
            f"mount {target}")


def bind(path, flags=0):
    mount(path, path, None, MS_BIND | MS_REC)
    if flags:
        mount(None, path, None, MS_BIND | MS_REMOUNT | flags)


def own_directory(root, path, who, mode):
    os.makedirs(root + path, exist_ok=True)
    os.chown(root + path, who.pw_uid, who.pw_gid)
    os.chmod(root + path, mode)
    return path


def make_devices(at):
    mount("tmpfs", at, "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=755")
    for name, minor in (("null", 3), ("zero", 5), ("full", 7), ("random", 8), ("urandom", 9)):
        os.mknod(os.path.join(at, name), stat.S_IFCHR | 0o666, os.makedev(1, minor))
        os.chmod(os.path.join(at, name), 0o666)


def make_file_system(root, unit, who):
    failing(libc.unshare(NEWNS | NEWIPC | NEWUTS), "unshare")
    mount(None, "/", None, MS_REC | MS_PRIVATE)
    writable = unit.pop("ReadWritePaths", [])
    for kind, parent in (("State", "/var/lib/"), ("Runtime", "/run/")):
        mode = int(unit.pop(kind + "DirectoryMode", ["0755"])[-1], 8)
        writable += [own_directory(root, parent + name, who, mode) for name in unit.pop(kind + "Directory", [])]
    bind(root)
    assert unit.pop("ProtectSystem") == ["strict"] and unit.pop("PrivateMounts") == ["yes"]
    mount(None, root, None, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID)
    for path in writable:
        mount(root + path, root + path, None, MS_BIND)
        mount(None, root + path, None, MS_BIND | MS_REMOUNT | MS_NOSUID)
    assert unit.pop("ProtectHome") == ["yes"]
    for path in ("/home", "/root"):
        mount("tmpfs", root + path, "tmpfs", MS_RDONLY, "mode=000")
    assert unit.pop("PrivateTmp") == ["yes"]
    for path in ("/tmp", "/var/tmp"):
        mount("tmpfs", root + path, "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777")
    assert unit.pop("PrivateDevices") == ["yes"]
    make_devices(root + "/dev")
    assert unit.pop("ProtectProc") == ["invisible"] and unit.pop("ProcSubset") == ["pid"]
    mount("proc", root + "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, "hidepid=invisible,subset=pid")


def enter_user_namespace(who):
    """Root and the account are themselves, nobody else is anybody; the maps are written by a child that stays outside."""
    ask, told = os.pipe(), os.pipe()
    outside = os.fork()
    if outside == 0:
        os.close(ask[1])
        if not os.read(ask[0], 1):
            os._exit(1)   # who asked has ended
        for kind, number in (("uid", who.pw_uid), ("gid", who.pw_gid)):
            with open(f"/proc/{os.getppid()}/{kind}_map", "w") as f:
                f.write(f"0 0 1\n{number} {number} 1\n")
        os.write(told[1], b"x")
        os._exit(0)
    return lambda: (failing(libc.unshare(NEWUSER), "unshare user"), os.write(ask[1], b"x"), os.read(told[0], 1),
                    os.waitpid(outside, 0), [os.close(fd) for fd in ask + told])


def calls_of(names):
    """System calls of systemd's sets and single names."""
    calls = set()
    for name in names:
        if not name.startswith("@"):
            calls.add(name)
            continue
        text = subprocess.run(["systemd-analyze", "syscall-filter", "--no-pager", name], capture_output=True, text=True,
                              check=True).stdout
        calls |= calls_of(line.strip() for line in text.splitlines()[1:] if line.strip() and "#" not in line)
    return calls


def allowed_calls(lines):
    allowed = calls_of(["@default"])
    for line in lines:
        if line.startswith("~"):
            # What is in a set that the unit allows by name again stays; @default is always there.
            allowed -= calls_of(line[1:].split()) - calls_of(["@default"])
        else:
            allowed |= calls_of(line.split())
    return allowed


def rules(filter, action, names, *arguments):
    for name in names:
        if seccomp.resolve_syscall(seccomp.Arch(), name) >= 0:   # a call of this machine
            filter.add_rule(action, name, *arguments)


def refusals(unit):
    """What is denied by its arguments."""
    filter, refuse = seccomp.SyscallFilter(seccomp.ALLOW), seccomp.ERRNO(1)
    families = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10, "AF_NETLINK": 16}
    wanted = {families[name] for name in " ".join(unit.pop("RestrictAddressFamilies")).split()}
    for number in set(range(46)) - wanted:
        filter.add_rule(seccomp.ERRNO(97), "socket", seccomp.Arg(0, seccomp.EQ, number))
    assert unit.pop("RestrictNamespaces") == ["yes"]
    filter.add_rule(refuse, "setns")
    for bit in (1 << n for n in range(32) if ALL_NAMESPACES >> n & 1):
        rules(filter, refuse, ["unshare", "clone"], seccomp.Arg(0, seccomp.MASKED_EQ, bit, bit))
    filter.add_rule(seccomp.ERRNO(38), "clone3")   # its flags are out of sight; the C library then uses clone
    assert unit.pop("MemoryDenyWriteExecute") == ["yes"]
    filter.add_rule(refuse, "mmap", seccomp.Arg(2, seccomp.MASKED_EQ, 6, 6))
    rules(filter, refuse, ["mprotect", "pkey_mprotect"], seccomp.Arg(2, seccomp.MASKED_EQ, 4, 4))
    filter.add_rule(refuse, "shmat", seccomp.Arg(2, seccomp.MASKED_EQ, 0o100000, 0o100000))
    assert unit.pop("RestrictSUIDSGID") == ["yes"]
    for bit in (stat.S_ISUID, stat.S_ISGID):
        rules(filter, refuse, ["chmod", "fchmod"], seccomp.Arg(1, seccomp.MASKED_EQ, bit, bit))
        rules(filter, refuse, ["fchmodat", "mkdirat"], seccomp.Arg(2, seccomp.MASKED_EQ, bit, bit))
    assert unit.pop("LockPersonality") == ["yes"]
    filter.add_rule(refuse, "personality", seccomp.Arg(0, seccomp.NE, 0))
    return filter


def allowances(unit):
    assert unit.pop("SystemCallArchitectures") == ["native"]   # libseccomp's own default
    filter = seccomp.SyscallFilter(seccomp.ERRNO(1))
    rules(filter, seccomp.ALLOW, allowed_calls(unit.pop("SystemCallFilter")))
    return filter


def enter(root):
    """The root of the mount namespace, not only of the process: no user namespace can be made in a chroot."""
    os.chdir(root)
    failing(libc.syscall(SYS_PIVOT_ROOT, b".", b"."), "pivot_root")
    failing(libc.umount2(b".", MNT_DETACH), "umount")
    os.chdir("/")


def become(unit, who):
    assert unit.pop("CapabilityBoundingSet") == [] and unit.pop("NoNewPrivileges") == ["yes"]
    assert unit.pop("ProtectHostname") == ["yes"]
    for capability in range(64):
        if libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
            break
    os.setgroups([])
    os.setresgid(*[who.pw_gid] * 3)
    os.setresuid(*[who.pw_uid] * 3)
    failing(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")


def environment(unit, options):
    watchdog = unit.pop("WatchdogSec", [])
    env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
    if "--notify" in options:
        env["NOTIFY_SOCKET"] = options["--notify"]
        if watchdog:
            env.update(WATCHDOG_USEC=str(seconds(watchdog[-1]) * 1000000), WATCHDOG_PID=str(os.getpid()))
    if "--listen" in options:
        env.update(LISTEN_FDS=options["--listen"], LISTEN_PID=str(os.getpid()))
    return env


def main():
    root, unit = os.path.realpath(sys.argv[1]), read_unit(sys.argv[2])
    words = sys.argv[3:]
    command = words[words.index("--") + 1:] if "--" in words else []
    words = words[:words.index("--")] if "--" in words else words
    options = dict(zip(words[::2], words[1::2]))
    with open(root + "/etc/passwd") as f:
        account = next(line.split(":") for line in f if line.startswith(unit["User"][-1] + ":"))
    who = pwd.struct_passwd((account[0], "x", int(account[2]), int(account[3]), "", account[5], account[6]))
    del unit["User"]
    start = unit.pop("ExecStart")[-1]
    env = environment(unit, options)
    assert unit.pop("PrivateUsers") == ["yes"]
    into_user_namespace = enter_user_namespace(who)
    make_file_system(root, unit, who)
    limit = min(int(unit.pop("LimitNOFILE")[-1]), resource.getrlimit(resource.RLIMIT_NOFILE)[1])   # in a container, less
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    refused, allowed = refusals(unit), allowances(unit)
    os.umask(int(unit.pop("UMask")[-1], 8))
    enter(root)
    into_user_namespace()
    become(unit, who)
    unknown = set(unit) - NOT_OURS
    assert not unknown, f"as_unit.py does not know {unknown}"
    argv = command or shlex.split(start)
    refused.load()
    allowed.load()
    os.execve(argv[0], argv, env)


main()
