"""The manual: a page for each verb, every option in it, clean mdoc, and examples that do what the page says."""
import glob
import os
import re
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import TOP  # noqa: E402
from world import RELEASE  # noqa: E402

POSTERN = os.path.join(RELEASE, "src", "postern")
PAGES = sorted(glob.glob(os.path.join(TOP, "man", "postern-*.1")))
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")
# Verbs that start servers, and those that change the machine they are run on: their examples are read, not run.
NOT_RUN = {"run", "lab", "setup-postfix", "exempt", "spool"}


def run(*argv, **more):
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False, **more)


def verbs():
    found = [re.match(r"  ([a-z-]+(?: [a-z-]+)?) ", line) for line in run(POSTERN, "--help").stdout.splitlines()]
    return [m.group(1).strip() for m in found if m]


def page_of(verb):
    own, noun = (os.path.join(TOP, "man", f"postern-{name}.1") for name in (verb.replace(" ", "-"), verb.split()[0]))
    return own if os.path.exists(own) else noun


def shown(page):
    return run("mandoc", "-T", "utf8", "-O", "width=500", page).stdout


def plain(text):
    return re.sub(".\b", "", text).replace("\u2010", "-").replace("\u2011", "-")


def examples(page):
    """Each block as [(command, lines of its output as the page has them)]."""
    with open(page, encoding="utf-8") as f:
        text = f.read()
    blocks = []
    for block in re.findall(r"\.Bd -literal[^\n]*\n(.*?)\.Ed\n", text, re.S):
        lines = [line.removeprefix("\\&").replace("\\-", "-").replace("\\e", "\\") for line in block.splitlines()]
        commands = []
        for line in lines:
            if line.startswith("$ "):
                commands.append((line[2:], []))
            else:
                commands[-1][1].append(line)
        blocks.append(commands)
    return blocks


def test_each_verb_has_a_page_and_each_page_a_verb():
    names = verbs()
    assert len(names) > 30
    missing = [v for v in names if not os.path.exists(page_of(v))]
    assert not missing
    assert {page_of(v) for v in names} == set(PAGES)


def test_each_option_of_help_is_in_its_page():
    missing = []
    for verb in verbs():
        text = plain(shown(page_of(verb)))
        offered = run(POSTERN, *verb.split(), "--help").stdout.split("Options for every verb")[0]
        missing += [(verb, o) for o in set(OPTION.findall(offered)) if o not in OPTION.findall(text)]
        assert all(f"\n{part}\n" in text for part in ("NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "OUTPUT", "EXIT STATUS", "EXAMPLES", "SEE ALSO")), verb
        assert f"postern {verb}" in text, verb
    assert not missing
    common = OPTION.findall(run(POSTERN, "verify", "--help").stdout.split("Options for every verb")[1])
    general = plain(shown(os.path.join(TOP, "man", "postern.1")))
    assert common and all(o in general for o in common)


def test_mandoc_finds_nothing():
    done = run("mandoc", "-T", "lint", "-W", "style", *glob.glob(os.path.join(TOP, "man", "*.1")))
    found = [line for line in done.stdout.splitlines() if "referenced manual not found" not in line]
    assert not found, "\n".join(found)


def test_pages_name_pages_that_exist():
    for page in [*PAGES, os.path.join(TOP, "man", "postern.1")]:
        with open(page, encoding="utf-8") as f:
            for name, section in re.findall(r"^\.Xr (\S+) (\d)", f.read(), re.M):
                assert os.path.exists(os.path.join(TOP, "man", f"{name}.{section}")), (page, name)


def matches(wanted, got):
    """Lines in order; "…" at the end of a line is any rest, a line of it alone any number of lines."""
    pattern = "".join(r"(?:[^\n]*\n)*?" if line == "…" else re.escape(line).replace("…", r"[^\n]*") + "\n" for line in wanted)
    return re.fullmatch(pattern + (r"" if not wanted or wanted[-1] != "…" else r"(?:[^\n]*\n?)*"), got) is not None


def test_matches_can_fail():
    assert matches(["a", "…", "c…"], "a\nb\nb\ncd\n") and matches([], "") and matches(["…"], "x\n")
    assert not matches(["a"], "a\nb\n") and not matches(["a", "…", "d"], "a\nb\nc\n")


@pytest.fixture
def place(tmp_path):
    """A directory with the samples, the program in its path, and no daemon."""
    os.symlink(os.path.join(TOP, "samples"), tmp_path / "samples")
    os.makedirs(tmp_path / "bin")
    os.symlink(POSTERN, tmp_path / "bin" / "postern")
    return tmp_path


def runs(place, command):
    env = dict(os.environ, PATH=f"{place}/bin:{os.environ['PATH']}", NO_COLOR="1")
    return run("bash", "-c", command, cwd=place, env=env)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: os.path.basename(p)[8:-2])
def test_examples(page, place):
    name = os.path.basename(page)[8:-2]
    blocks = examples(page)
    assert blocks and all(block for block in blocks)
    for command, wanted in (c for block in blocks for c in block):
        assert "postern" in command or command.startswith("openssl "), command
        if name in NOT_RUN:
            continue
        if "These ask the running daemon" in open(page, encoding="utf-8").read():
            # A daemon of this machine is not ours to talk to: the words go to a place where nobody listens.
            (place / "none.conf").write_text(f'daemon {{\n\trun_directory = "{place}"\n}}\n')
            done = runs(place, command.replace("postern ", "postern -c none.conf ", 1).split(" | ")[0].split(" > ")[0])
            assert done.returncode == 75 and "no daemon answers" in done.stderr, (command, done)
            continue
        done = runs(place, command)
        assert done.returncode in (0, 1, 2, 3) and not done.stderr.startswith("postern: there is no"), (command, done)
        assert matches(wanted, done.stdout), f"$ {command}\n{done.stdout}{done.stderr}\nwanted:\n" + "\n".join(wanted)


@pytest.mark.parametrize("verb", verbs())
def test_examples_of_help_know_their_options(verb):
    """Every option that --help shows in an example is one that the program takes."""
    for line in run(POSTERN, *verb.split(), "--help").stdout.split("Examples:")[1].split("Options for every verb")[0].splitlines():
        for option in OPTION.findall(re.sub("'[^']*'", "", line)):
            done = run(POSTERN, option + "=x" if option not in FLAGS else option, "--help")
            assert "unrecognized" not in done.stderr and done.returncode == 0, (verb, option, done.stderr)


FLAGS = {"--json", "--batch", "--help", "--take-over", "--print-sample", "--once", "--apply", "--remove", "--allow-sha1", "--list", "--letter", "--html",
         "--check"}
