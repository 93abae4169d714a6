"""Static checks: layers, marks of waiting functions, cppcheck, shellcheck."""
import os
import subprocess

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SCRIPTS = ["test", "quickstart", "tools/build", "tools/install-packages", "tools/deep-check", ".ci/run"]


def run(*argv, timeout=600):
    done = subprocess.run(argv, cwd=TOP, capture_output=True, text=True, timeout=timeout)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-6000:]


def test_layers():
    run("tools/check-layers")


def test_waits_are_marked():
    run("tools/check-waits")


def test_cppcheck():
    run("cppcheck", "--quiet", "--error-exitcode=1", "--std=c11", "--inline-suppr", "--enable=warning,portability",
        "--suppress=missingIncludeSystem", "--suppressions-list=tools/cppcheck.suppress", "-j2", "-Isrc", "src", "lab", "bench")


def test_shellcheck():
    run("shellcheck", *[s for s in SCRIPTS if os.path.exists(os.path.join(TOP, s))])
