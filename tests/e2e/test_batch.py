# SPDX-License-Identifier: GPL-2.0-or-later
"""The batch engine as a program on the other side of two pipes sees it: order, promptness, bounds, and an end."""
import json
import os
import socket
import subprocess
import time

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
POSTERN = os.path.join(os.environ.get("POSTERN_BUILD", os.path.join(TOP, "build-test")), "src", "postern")


def run(*words, text, timeout=60):
    done = subprocess.run([POSTERN, *words, "--batch"], input=text, capture_output=True, timeout=timeout, check=False)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def line(number, address="a@b.example"):
    return json.dumps({"id": number, "address": address}).encode() + b"\n"


def test_each_answer_comes_before_the_next_question():
    with subprocess.Popen([POSTERN, "address", "check", "--batch"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as p:
        for i in range(20):
            p.stdin.write(line(i))
            p.stdin.flush()
            assert json.loads(p.stdout.readline())["id"] == i
        p.stdin.close()
        assert p.wait(timeout=10) == 0


def test_a_line_may_come_in_pieces_and_without_an_end():
    with subprocess.Popen([POSTERN, "address", "check", "--batch"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as p:
        for piece in (b'{"id":1,', b'"address":"a@b.ex', b'ample"}\n\n  \r\n', line(2)[:-1]):
            p.stdin.write(piece)
            p.stdin.flush()
            time.sleep(0.05)
        p.stdin.close()
        assert [json.loads(answer)["id"] for answer in p.stdout] == [1, 2]
        assert p.wait(timeout=10) == 0


def test_many_lines_keep_their_order():
    status, answers = run("address", "check", text=b"".join(map(line, range(20000))))
    assert status == 0
    assert [a["id"] for a in answers] == list(range(20000))


def test_lines_that_wait_hold_nobody_up():
    """Every other line asks a resolver that never answers: a hundred wait at once, and the order stays."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        lines = []
        for i in range(200):
            question = {"id": i, "ip": "192.0.2.1", "helo": "h", "from": f"a@d{i}.example"}
            if i % 2:
                question["dns"] = [[f"d{i}.example", "TXT", "v=spf1 +all"]]
            lines.append(json.dumps(question) + "\n")
        begun = time.monotonic()
        status, answers = run("spf", "check", "--resolver", f"127.0.0.1@{silent.getsockname()[1]}", "--timeout", "1",
                              text="".join(lines).encode())
        took = time.monotonic() - begun
    assert status == 0
    assert [a["id"] for a in answers] == list(range(200))
    assert {a["result"] for a in answers[1::2]} == {"pass"}
    assert {a["result"] for a in answers[0::2]} == {"temperror"}
    assert took < 25  # one by one it would be 100 s


def test_a_line_beyond_the_limit_is_told_and_the_rest_goes_on():
    status, answers = run("address", "check", text=line(1, "a" * (17 << 20)) + b'{"id":2,"x":' + b"[" * 50 + b"\n" + line(3))
    assert status == 1
    assert "too long" in answers[0]["error"] and "too deep" in answers[1]["error"]
    assert answers[2]["id"] == 3 and answers[2]["valid"]


def test_it_ends_when_nobody_reads():
    with subprocess.Popen([POSTERN, "address", "check", "--batch"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as p:
        p.stdin.write(line(1))
        p.stdin.flush()
        assert p.stdout.readline()
        p.stdout.close()
        ended = False
        for i in range(2000):  # it must not read for ever
            try:
                p.stdin.write(b"".join(line(k) for k in range(50)))
                p.stdin.flush()
            except BrokenPipeError:
                ended = True
                break
        try:
            p.stdin.close()
        except BrokenPipeError:
            pass
        assert p.wait(timeout=20) == 70
        assert ended
