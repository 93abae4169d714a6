# SPDX-License-Identifier: GPL-2.0-or-later
"""gdb: parked fibers.

  (gdb) source tools/gdb-fibers.py
  (gdb) fibers             each fiber: name, label, what it waits for and how long
  (gdb) fiber N            the backtrace of fiber N
  (gdb) fibers bt          both, for all

For Boost.Context on x86-64 and AArch64 (the build's default). Works on a core file too, where registers cannot be set: there the frames
are walked by the frame pointers, which the build keeps.
"""
import gdb

# Where make_fcontext's save area (boost 1.74, libs/context/src/asm) keeps the frame pointer and the return address.
LAYOUTS = {"i386:x86-64": {"fp": 0x30, "pc": 0x38}, "aarch64": {"fp": 0x90, "pc": 0x98}}


def each_fiber():
    rt = gdb.parse_and_eval("the_rt")
    if int(rt) == 0:
        raise gdb.GdbError("no runtime is running")
    fiber_type = gdb.lookup_type("struct fiber")
    offset = next(f.bitpos // 8 for f in fiber_type.fields() if f.name == "all")
    head = rt["all"]["head"].address
    link, number = rt["all"]["head"]["next"], 0
    while int(link) != int(head):
        fiber = gdb.Value(int(link) - offset).cast(fiber_type.pointer())
        yield number, fiber, rt
        link, number = link["next"], number + 1


def text(value):
    return value.string("utf-8", "replace") if int(value) else "-"


def describe(number, fiber, rt):
    state = str(fiber["state"]).replace("FIBER_", "").lower()
    seconds = (int(rt["now"]) - int(fiber["since"])) / 1e6
    wait = text(fiber["wait_label"])
    if wait == "-":
        wait = text(fiber["label"])
    flag = ", cancelled" if fiber["is_cancelled"] else ""
    return f"{number:5}  {text(fiber['name'])}: {wait}, {seconds:.1f} s ({state}{flag})"


def frames(fiber):
    layout = LAYOUTS.get(gdb.selected_frame().architecture().name())
    if layout is None:
        raise gdb.GdbError("the layout of a parked stack is not known for this machine")
    word = gdb.lookup_type("unsigned long").pointer()
    read = lambda at: int(gdb.Value(at).cast(word).dereference())
    sp = int(fiber["context"]["sp"])
    low, high = int(fiber["stack"]["low"]), int(fiber["stack"]["low"]) + int(fiber["stack"]["size"])
    pc, fp = read(sp + layout["pc"]), read(sp + layout["fp"])
    yield pc
    while low < fp < high - 16:
        pc, fp = read(fp + 8), read(fp)
        if pc == 0:
            return
        yield pc


def backtrace(fiber):
    if str(fiber["state"]) == "FIBER_RUNNING":
        print("       running: see bt")
        return
    for n, pc in enumerate(frames(fiber)):
        place = gdb.find_pc_line(pc - 1)
        block = gdb.block_for_pc(pc - 1)
        while block is not None and block.function is None:
            block = block.superblock
        name = block.function.name if block is not None else gdb.execute(f"info symbol {pc}", to_string=True).strip()
        where = f" at {place.symtab.filename}:{place.line}" if place.symtab else ""
        print(f"       #{n} {name}{where}")


class Fibers(gdb.Command):
    """List the fibers; `fibers bt` with their backtraces."""

    def __init__(self):
        super().__init__("fibers", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        for number, fiber, rt in each_fiber():
            print(describe(number, fiber, rt))
            if argument.strip() == "bt":
                backtrace(fiber)


class Fiber(gdb.Command):
    """Backtrace of one fiber: fiber N."""

    def __init__(self):
        super().__init__("fiber", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        for number, fiber, rt in each_fiber():
            if str(number) == argument.strip():
                print(describe(number, fiber, rt))
                backtrace(fiber)
                return
        raise gdb.GdbError("no such fiber: try `fibers`")


Fibers()
Fiber()
