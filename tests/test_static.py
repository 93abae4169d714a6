"""Static checks: layers, marks of waiting functions, cppcheck, shellcheck."""
import os
import subprocess

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SCRIPTS = ["test", "quickstart", "tools/build", "tools/install-packages", "tools/deep-check", ".ci/run", "tools/build-package",
           "packaging/debian/first-conf", "packaging/debian/postern.postinst", "packaging/debian/postern.prerm",
           "packaging/debian/postern.postrm"]


def run(*argv, timeout=600):
    done = subprocess.run(argv, cwd=TOP, capture_output=True, text=True, timeout=timeout)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-6000:]


def test_layers():
    run("tools/check-layers")


def test_waits_are_marked():
    run("tools/check-waits", "-p", os.environ.get("POSTERN_BUILD", "build-test"))


def test_cppcheck():
    run("cppcheck", "--quiet", "--error-exitcode=1", "--std=c11", "--inline-suppr", "--enable=warning,portability",
        "--suppress=missingIncludeSystem", "--suppressions-list=tools/cppcheck.suppress", "-j2", "-Isrc", "src", "lab", "bench")


def test_shellcheck():
    run("shellcheck", *[s for s in SCRIPTS if os.path.exists(os.path.join(TOP, s))])


def test_no_global_name_twice():
    """Static libraries hide it when two layers define the same function: the linker takes the first."""
    build = os.environ.get("POSTERN_BUILD", os.path.join(TOP, "build-test"))
    libraries = [os.path.join(build, "src", f) for f in os.listdir(os.path.join(build, "src")) if f.endswith(".a")]
    out = subprocess.run(["nm", "-A", "--defined-only", *libraries], capture_output=True, text=True).stdout
    seen, twice = {}, set()
    for line in out.splitlines():
        if line.count(" ") < 2:
            continue  # the name of a library
        where, kind, name = line.rsplit(" ", 2)
        if kind in "TDBR" and not name.startswith(("__", "_GLOBAL", "asan", ".")):
            if seen.setdefault(name, where.rsplit(":", 1)[0]) != where.rsplit(":", 1)[0]:
                twice.add(name)
    assert not twice, twice


def test_sample_and_manual_are_what_the_tables_say():
    postern = os.path.join(os.environ.get("POSTERN_BUILD", os.path.join(TOP, "build-test")), "src", "postern")
    sample = subprocess.run([postern, "check-config", "--print-sample"], capture_output=True, text=True, check=True).stdout
    manual = subprocess.run(["tools/make-conf-manual"], input=sample, capture_output=True, text=True, check=True, cwd=TOP).stdout
    with open(os.path.join(TOP, "samples", "postern.conf")) as f:
        assert f.read() == sample, "run: build/postern check-config --print-sample > samples/postern.conf"
    with open(os.path.join(TOP, "man", "postern.conf.5")) as f:
        assert f.read() == manual, "run: tools/make-conf-manual < samples/postern.conf > man/postern.conf.5"
