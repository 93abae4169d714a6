"""The second set-up command as a newcomer runs it: release build, sandbox on."""
import os
import subprocess

from world import RELEASE


def test_tour_tells_every_story():
    done = subprocess.run([os.path.join(RELEASE, "src", "postern"), "lab", "--once"], capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "All stories ended as they should." in done.stdout
    assert done.stdout.count("\u2713") >= 14
    assert "B \u2192 A" in done.stdout
