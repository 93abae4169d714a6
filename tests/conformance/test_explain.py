"""`postern explain` against labelled replies and returned mails, and as people use it."""
import importlib.machinery
import importlib.util
import json
import os
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import TOP, program  # noqa: E402

DATA = os.path.join(os.environ.get("POSTERN_SHARED", os.path.join(TOP, "..", "shared")), "data")


def confusion():
    path = os.path.join(TOP, "tools", "confusion")
    loader = importlib.machinery.SourceFileLoader("confusion", path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("confusion", loader))
    sys.dont_write_bytecode = True
    loader.exec_module(module)
    return module


def postern():
    return program("src", "postern")


def explain(*words, stdin=None):
    return subprocess.run([postern(), "explain", *words], input=stdin, capture_output=True, text=True, check=False, timeout=60)


def batch(*questions):
    return confusion().ask(postern(), list(questions))


@pytest.mark.parametrize("name, least", [("temporary", 1.0), ("seeds", 1.0), ("sisimai", 0.92), ("providers", 0.90), ("flufl", 0.95),
                                         ("mails", 0.95)])
def test_labelled(name, least):
    score = getattr(confusion(), name)(postern(), DATA)
    assert score.share >= least, f"{score}\n" + "\n".join(score.misses)


def test_no_temporary_reply_is_permanent():
    c = confusion()
    replies = [r["response"] for r in c.rows(f"{DATA}/replies/temporary-replies.tsv")]
    replies += [r["reply"] for r in c.rows(f"{DATA}/bounces/sisimai-reply-reason.tsv") if r["reply"].startswith("4")]
    for reply, answer in zip(replies, batch(*[{"text": r} for r in replies])):
        assert answer["temporary"] is True, reply


def test_the_senders_fault_is_not_the_recipients():
    c = confusion()
    for row, a in zip(c.rows(f"{DATA}/replies/seed-wordings.tsv"), batch(*[{"text": r["text"]} for r in c.rows(f"{DATA}/replies/seed-wordings.tsv")])):
        if row["cause"] in ("sender_invalid", "sender_verify", "sender_rejected", "sender_domain"):
            assert a["owner"] not in ("recipient", "author") and a["mine"] is True, row


def unseen():
    with open(os.path.join(os.path.dirname(__file__), "unseen-replies.tsv"), encoding="utf-8") as f:
        return [line.rstrip("\n").split("\t") for line in f if not line.startswith("#")]


def test_replies_that_no_rule_was_written_for():
    rows = unseen()
    answers = batch(*[{"text": text} for _, text in rows])
    assert len(rows) == len(answers) > 200
    misses = [f"{cause} read as {a['cause']} ({a['rule']}): {text}" for (cause, text), a in zip(rows, answers) if a["cause"] != cause]
    assert len(misses) <= 0.03 * len(rows), "\n".join(misses)
    for (cause, text), a in zip(rows, answers):
        assert a["temporary"] is text.startswith("4"), text
        if cause in ("sender_invalid", "sender_verify", "sender_rejected", "sender_domain"):
            assert a["owner"] in ("sending_host", "sender_domain"), text


LOG_LINES = [
    ("Nov 22 08:15:30 mx postfix/smtp[451]: 4ABC: to=<u@example.org>, relay=mx.example.org[192.0.2.1]:25, delay=450, delays=0.1/0/450/1, "
     "dsn=4.7.1, status=deferred (host mx.example.org[192.0.2.1] said: 451 4.7.1 Greylisted for 300 seconds (in reply to RCPT TO command))",
     451, "greylist", 300, "rcpt"),
    ("Nov 22 08:15:30 mx postfix/smtpd[9]: NOQUEUE: reject: RCPT from mail.example.net[192.0.2.9]: 550 5.1.8 <a@b.invalid>: Sender address "
     "rejected: Domain not found; from=<a@b.invalid> to=<u@example.org> proto=ESMTP helo=<mail.example.net>", 550, "sender_domain", None, "mail"),
    ("2026-11-22 08:15:30 1tABCD-0001-XY == u@example.org R=dnslookup T=remote_smtp defer (-44): SMTP error from remote mail server after "
     "RCPT TO:<u@example.org>: host mx.example.org [192.0.2.1]: 450 4.2.0 mailbox busy", 450, "mailbox_busy", None, "rcpt"),
    ("Nov 22 08:15:30 mx sm-mta[99]: 5AMx: to=<u@example.org>, delay=00:00:04, mailer=esmtp, relay=mx.example.org. [192.0.2.1], dsn=4.3.1, "
     "stat=Deferred: 452 4.3.1 Insufficient system storage", 452, "storage", None, None),
    ('Nov 22 08:15:30 mx smtpd[77]: 7d7e mta delivery evpid=1 from=<a@b.example> to=<u@example.org> rcpt=<-> source="198.51.100.1" '
     'relay="192.0.2.1 (mx.example.org)" delay=1s result="TempFail" stat="421 4.3.2 Server shutting down"', 421, "maintenance", None, None),
    ("2026-11-22T08:15:30Z,,MX01,08DB,SMTP,DEFER,[{LRT=11/22/2026};{LED=450 4.7.26 Message failed to pass SPF};{MSG=};{FQDN=mx.example.org}]",
     450, "auth_policy", None, None),
    ('2026-11-22T08:15:30Z delivery_deferred ref=2F3A rcpt=u@example.org host=mx.example.org reply="452 4.2.2 Mailbox full"', 452, "quota", None, None),
]


# line, cause, sender, recipient, host or client: what a line of each program says beside its reply
MORE_LINES = {
    "postscreen": ("Nov 22 08:15:30 mx postfix/postscreen[9]: NOQUEUE: reject: RCPT from [192.0.2.9]:4565: 450 4.3.2 Service currently unavailable; "
                   "from=<a@b.example>, to=<u@example.org>, proto=ESMTP, helo=<x.example>", 450, "maintenance overload", None),
    "milter-reject": ("Nov 22 08:15:30 mx postfix/cleanup[9]: 4ABC: milter-reject: END-OF-MESSAGE from mail.example.net[192.0.2.9]: 4.7.1 Service unavailable "
                      "- try again later; from=<a@b.example> to=<u@example.org> proto=ESMTP helo=<x.example>", None, "content_filter overload", None),
    "postfix-connect": ("2026-11-22T08:15:30.123456+01:00 mx postfix/smtp[9]: connect to mx.example.org[192.0.2.1]:25: Connection timed out", None, "network", "mx.example.org"),
    "postfix-greeting": ("Nov 22 08:15:30 mx postfix/smtp[9]: 4ABC: host mx.example.org[192.0.2.1] refused to talk to me: 421 4.7.0 Too many connections", 421, "rate_limit", "mx.example.org"),
    "postfix-none": ("Nov 22 08:15:30 mx postfix/smtp[9]: 4ABC: to=<u@nowhere.example>, relay=none, delay=0.1, delays=0/0/0.1/0, dsn=5.4.4, status=bounced "
                     "(Host or domain name not found. Name service error for name=nowhere.example type=AAAA: Host not found)", None, "no_domain", None),
    "postfix-expired": ("Nov 22 08:15:30 mx postfix/qmgr[9]: 4ABC: from=<a@b.example>, status=expired, returned to sender", None, "expired", None),
    "exim-new": ("2026-11-22 08:15:30 1tABCD-0001-XY == u@example.org R=dnslookup T=remote_smtp defer (-44) H=mx.example.org [192.0.2.1]: SMTP error from remote "
                 "mail server after RCPT TO:<u@example.org>: 451 4.7.1 Greylisted", 451, "greylist", "mx.example.org"),
    "exim-failed": ("2026-11-22 08:15:30 1tABCD-0001-XY ** u@example.org F=<a@b.example> R=dnslookup T=remote_smtp H=mx.example.org [192.0.2.1]: SMTP error from "
                    "remote mail server after end of data: 550 5.7.1 Message content rejected as spam", 550, "spam_content", "mx.example.org"),
    "exim-timeout": ("2026-11-22 08:15:30 1tABCD-0001-XY == u@example.org R=dnslookup T=remote_smtp defer (110): Connection timed out H=mx.example.org [192.0.2.1]", None, "network", None),
    "exim-refuses": ("2026-11-22 08:15:30 H=mail.example.net (x.example) [192.0.2.9] F=<a@b.example> temporarily rejected RCPT <u@example.org>: Could not complete sender "
                     "verify callout", None, "sender_verify", None),
    "exim-refuses-for-good": ("2026-11-22 08:15:30 H=(x.example) [192.0.2.9] F=<a@b.example> rejected RCPT <u@example.org>: Sender verify failed", None, "sender_invalid", None),
    "sendmail-refuses": ("Nov 22 08:15:30 mx sm-mta[99]: 5AMx: ruleset=check_mail, arg1=<a@b.invalid>, relay=mail.example.net [192.0.2.9], reject=553 5.1.8 <a@b.invalid>... "
                         "Domain of sender address a@b.invalid does not exist", 553, "sender_domain", None),
    "opensmtpd-refuses": ('Nov 22 08:15:30 mx smtpd[77]: 7d7e smtp failed-command command="RCPT TO:<u@example.org>" result="550 Invalid recipient: <u@example.org>"',
                          550, "no_mailbox", None),
    "exchange-protocol": ("2026-11-22T08:15:30.123Z,Outbound Mail,08DB000000000001,12,10.0.0.5:2525,192.0.2.1:25,<,451 4.7.0 Temporary server error. Please try again later. PRX2,",
                          451, "overload", "192.0.2.1"),
    "exchange-report": ("Remote Server returned '550 5.1.1 RESOLVER.ADR.RecipNotFound; not found'", 550, "no_mailbox", None),
    "postern-quotes": ('2026-11-22T08:15:30Z delivery_failed ref=2F3A rcpt=u@example.org host=mx.example.org reply="550 5.1.1 \\"u\\" is an unknown user"',
                       550, "no_mailbox", "mx.example.org"),
}


def test_more_log_lines():
    for (name, (_, code, causes, host)), answer in zip(MORE_LINES.items(), batch(*[{"text": line} for line, *_ in MORE_LINES.values()])):
        assert (answer["code"], answer["cause"] in causes.split()) == (code, True), (name, answer)
        assert host is None or answer["host"] == host, (name, answer)


NOTICES = {
    "ses": ({"notificationType": "Bounce", "bounce": {"bounceType": "Permanent", "reportingMTA": "dns; a.example", "bouncedRecipients": [
        {"emailAddress": "u@c.example", "action": "failed", "status": "5.1.1", "diagnosticCode": "smtp; 550 5.1.1 user unknown"}]}}, "bounce", "no_mailbox"),
    "ses-delay": ({"eventType": "DeliveryDelay", "deliveryDelay": {"delayType": "MailboxFull", "delayedRecipients": [
        {"emailAddress": "u@c.example", "status": "4.2.2", "diagnosticCode": "smtp; 452 4.2.2 over quota"}]}}, "delayed", "quota"),
    "ses-complaint": ({"notificationType": "Complaint", "complaint": {"complainedRecipients": [{"emailAddress": "u@c.example"}]}}, "feedback", None),
    "ses-delivery": ({"notificationType": "Delivery", "delivery": {"recipients": ["u@c.example"], "smtpResponse": "250 ok"}}, "delivered", None),
    "sendgrid": ([{"event": "bounce", "email": "u@c.example", "status": "5.7.1", "reason": "550 5.7.1 blocked using zen.spamhaus.org"}], "bounce", "blocklist"),
    "mailgun": ({"event-data": {"event": "failed", "severity": "temporary", "recipient": "u@c.example", "delivery-status": {
        "code": 450, "message": "4.2.0 Greylisted"}}}, "delayed", "greylist"),
    "postmark": ({"RecordType": "Bounce", "Type": "HardBounce", "Email": "u@c.example", "Details": "smtp;550 5.1.1 No such user"}, "bounce", "no_mailbox"),
    "sparkpost": ({"msys": {"message_event": {"type": "bounce", "rcpt_to": "u@c.example", "raw_reason": "552 5.2.2 Mailbox full"}}}, "bounce", "quota"),
}


def wrap(notice, how):
    text = json.dumps(notice)
    if how != "bare":
        text = json.dumps({"Type": "Notification", "MessageId": "1", "Message": text})
    if how == "mail":
        text = ("From: no-reply@sns.example\nTo: a@b.example\nSubject: AWS Notification Message\nContent-Type: text/plain; charset=UTF-8\n\n" + text +
                "\n\n--\nIf you wish to stop receiving notifications, click here\n")
    return text


def test_notifications_of_sending_services(tmp_path):
    rows = [(name, how, *NOTICES[name]) for name in NOTICES for how in ("bare", "sns", "mail")]
    for i, (_, how, notice, _, _) in enumerate(rows):
        (tmp_path / str(i)).write_text(wrap(notice, how))
    for (name, how, _, kind, cause), answer in zip(rows, batch(*[{"message": str(tmp_path / str(i))} for i in range(len(rows))])):
        assert (answer["kind"], [(r["address"], r["cause"]) for r in answer["recipients"]]) == (kind, [("u@c.example", cause)]), (name, how, answer)
    done = explain("-f", str(tmp_path / "0"), "--json")
    assert json.loads(done.stdout)["kind"] == "bounce" and done.returncode == 2
    assert "A report that mail could not be delivered" in explain("-f", str(tmp_path / "0")).stdout


def test_reports_in_other_charsets(tmp_path):
    charsets = ("iso-2022-jp", "shift_jis", "euc-jp", "utf-8")
    for charset in charsets:
        head = (f"From: MAILER-DAEMON@mx.example\nTo: a@b.example\nSubject: failure notice\nMIME-Version: 1.0\nContent-Type: text/plain; charset={charset}\n\n"
                "Hi. This is the qmail-send program at mx.example.\n\n<u@c.example>:\n")
        (tmp_path / charset).write_bytes(head.encode() + "550 5.2.0 宛先のユーザーが見つかりません\n\n--- Below this line is a copy of the message.\n".encode(charset))
    for charset, answer in zip(charsets, batch(*[{"message": str(tmp_path / c)} for c in charsets])):
        assert [(r["address"], r["cause"]) for r in answer["recipients"]] == [("u@c.example", "no_mailbox")], (charset, answer)
        assert "見つかりません" in answer["recipients"][0]["diagnostic"], charset


@pytest.mark.parametrize("text", ["550 Empf\u00c3\u00a4nger unbekannt", "550 Empf\u00e4nger unbekannt", "550 Empfaenger unbekannt",
                                  "550-5.1.1 The address\n550-5.1.1 that you tried\n550 5.1.1 does not exist, u@example.org is unknown here"])
def test_mojibake_and_several_lines(text):
    assert json.loads(explain("--json", "-f", "-", stdin=text).stdout)["cause"] == "no_mailbox"


def test_bytes_of_another_charset_on_standard_input():
    done = subprocess.run([postern(), "explain", "--json", "-f", "-"], input="550 Empfänger unbekannt".encode("latin-1"), capture_output=True, check=False, timeout=60)
    assert json.loads(done.stdout)["cause"] == "no_mailbox"


def test_a_success_is_no_trouble():
    done = explain("250 2.0.0 Ok: queued as 4ABC")
    assert done.returncode == 0 and "Nothing is wrong" in done.stdout


@pytest.mark.parametrize("line, code, cause, wait, stage", LOG_LINES, ids=["postfix", "postfix-reject", "exim", "sendmail", "opensmtpd", "exchange", "postern"])
def test_log_lines(line, code, cause, wait, stage):
    answer = json.loads(explain("--json", line).stdout)
    assert (answer["code"], answer["cause"], answer["retry_after_s"]) == (code, cause, wait)
    assert stage is None or answer["stage"] == stage
    folded = line.replace(" ", "\n  ", 3)
    assert json.loads(explain("--json", "-f", "-", stdin=folded).stdout)["cause"] == cause


def test_an_enhanced_code_is_not_451():
    answer = json.loads(explain("--json", "4.5.1").stdout)
    assert answer["code"] is None and answer["confidence"] <= 0.3
    assert "451" in answer["do"][0]
    assert "Careful" in explain("4.5.1").stdout


def test_screen_says_what_people_ask():
    done = explain("451 4.7.1 Greylisting in action, please come back in 00:05:00")
    assert done.returncode == 1
    for word in ("Meaning", "Said by", "To mend", "Wait or act", "5 min", "Now", "1. "):
        assert word in done.stdout
    assert "\x1b" not in done.stdout and len(done.stdout.splitlines()) <= 24
    assert explain("550 5.1.1 No such user").returncode == 2
    assert explain().returncode == 64
    assert explain("-f", "/nonexistent").returncode == 66


def test_letter_list_and_page():
    letter = explain("--letter", "450 4.7.1 <u@example.org>: Client host rejected: cannot find your hostname, [192.0.2.7]").stdout
    assert "Dear postmaster" in letter and "192.0.2.7" in letter and "450 4.7.1" in letter
    page = explain("--html", "550 <script>alert(1)</script> \x1b[31m\x85").stdout
    assert "<script>" not in page and "\x1b" not in page and page.count("<html") == page.count("</html>") == 1
    assert "\x1b" not in explain("550 \x1b[31mred\x1b[0m").stdout and "\x1b" not in explain("--letter", "550 \x1b[31mred").stdout
    causes = json.loads(explain("--list", "--json").stdout)["causes"]
    assert len(causes) == 39 and all(c["means"] and c["do"] and c["reviewed"] for c in causes)
    assert "greylist" in explain("--list").stdout


def test_letters_hold_what_the_other_postmaster_needs(tmp_path):
    line = LOG_LINES[0][0].replace("451 4.7.1 Greylisted for 300 seconds", "451 4.3.0 Error: queue file write error")
    letter = explain("--letter", "--ip", "198.51.100.7", "--helo", "mail.example.net", line).stdout
    for part in ("To: postmaster@example.org", "451 4.3.0 Error: queue file write error", "Nov 22 08:15:30 (local time", "mx.example.org", "198.51.100.7",
                 "mail.example.net", "u@example.org"):
        assert part in letter, (part, letter)
    report = tmp_path / "report.eml"
    report.write_text(MAILS["delayed"][0])
    letter = explain("--letter", "-f", str(report)).stdout
    assert "could not hand over mail" in letter and "reached on port 25" in letter and "a@b.example" in letter and "c.example" in letter, letter
    several = tmp_path / "several.eml"
    several.write_text("From: MAILER-DAEMON@mx.example\nTo: a@b.example\nSubject: Failed\nContent-Type: multipart/report; boundary=x\n\n--x\n\nno\n--x\n"
                       "Content-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example\n\n" +
                       "\n".join(f"Final-Recipient: rfc822; u{n}@c.example\nAction: failed\nStatus: 5.7.1\nDiagnostic-Code: smtp; 550 5.7.1 Refused by policy\n" for n in range(3)) + "\n--x--\n")
    assert explain("--letter", "-f", str(several)).stdout.count("Dear postmaster") == 1
    page = explain("--html", "-f", str(several)).stdout
    assert page.count("<html") == page.count("<article>") == 1
    assert "seldom helps" in explain("--letter", "451 4.7.1 Greylisted").stderr
    assert explain("--letter", "-f", os.path.join(TOP, "samples", "mail", "plain.eml")).returncode == 3


def test_operators_rules(tmp_path):
    own = tmp_path / "own.rules"
    own.write_text("rule local.widget maintenance 90\nwhen widget*\nlike 451 widgets are out\n")
    assert json.loads(explain("--json", "--rules", str(own), "451 No widget today").stdout)["rule"] == "local.widget"
    own.write_text("rule local.widget nonsense 90\n")
    done = explain("--rules", str(own), "451 x")
    assert done.returncode == 64 and "line 1" in done.stderr


MAILS = {
    "delayed": ("From: MAILER-DAEMON@mx.example\nTo: a@b.example\nSubject: Delayed Mail\nContent-Type: multipart/report; boundary=x\n\n--x\n\nlate\n--x\n"
                "Content-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example\n\nFinal-Recipient: rfc822; u@c.example\nAction: delayed\n"
                "Status: 4.4.1\nDiagnostic-Code: X-Postfix; connect to c.example: Connection timed out\n\n--x--\n", "delayed", "network"),
    "truncated": ("From: MAILER-DAEMON@mx.example\nTo: a@b.example\nSubject: Failed\nContent-Type: multipart/report; boundary=x\n\n--x\n\nno\n--x\n"
                  "Content-Type: message/delivery-status\n\nFinal-Recipient: rfc822; u@c.example\nAction: failed\nStatus: 5.2.2\nDiagnostic-Code: smtp; 552 5.2.2 Ov",
                  "bounce", "quota"),
    "qmail": ("From: MAILER-DAEMON@mx.example\nTo: a@b.example\nSubject: failure notice\n\nHi. This is the qmail-send program at mx.example.\n\n"
              "<u@c.example>:\n192.0.2.1 does not like recipient.\nRemote host said: 550 5.1.1 No such user\nGiving up on 192.0.2.1.\n\n"
              "--- Below this line is a copy of the message.\n\nReturn-Path: <a@b.example>\nTo: other@d.example\n", "bounce", "no_mailbox"),
    "exim": ("From: Mail Delivery System <Mailer-Daemon@mx.example>\nTo: a@b.example\nX-Failed-Recipients: u@c.example\nSubject: Mail delivery failed\n\n"
             "A message that you sent could not be delivered. The following address(es) failed:\n\n  u@c.example\n    host c.example [192.0.2.1]\n"
             "    SMTP error from remote mail server after RCPT TO:<u@c.example>:\n    550 Sender verify failed\n\n------ This is a copy of the message ------\n",
             "bounce", "sender_invalid"),
}


@pytest.mark.parametrize("name", MAILS)
def test_mails(name, tmp_path):
    text, kind, cause = MAILS[name]
    path = tmp_path / "mail.eml"
    path.write_text(text)
    answer = batch({"message": str(path)})[0]
    assert answer["kind"] == kind
    assert [(r["address"], r["cause"]) for r in answer["recipients"]] == [("u@c.example", cause)]
    assert explain("-f", str(path)).stdout


def test_other_kinds(tmp_path):
    away = tmp_path / "away.eml"
    away.write_text("From: u@c.example\nTo: a@b.example\nSubject: Out of office\nAuto-Submitted: auto-replied\n\nBack on Monday.\n")
    letter = tmp_path / "letter.eml"
    letter.write_text("From: u@c.example\nTo: a@b.example\nSubject: Hello\n\nWrite to x@y.example\n")
    assert [a["kind"] for a in batch({"message": str(away)}, {"message": str(letter)})] == ["vacation", "none"]


def test_batch_keeps_order_and_goes_on():
    lines = '{"id":1,"text":"451 x"}\nnot json\n{"id":3}\n{"id":"four","text":"550 5.1.1 No such user"}\n'
    out = [json.loads(line) for line in explain("--batch", stdin=lines).stdout.splitlines()]
    assert [a.get("id") for a in out] == [1, None, 3, "four"]
    assert "error" in out[1] and "error" in out[2] and out[3]["cause"] == "no_mailbox"
