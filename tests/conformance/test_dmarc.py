"""DMARC by `postern dmarc eval --batch`: the recorded decisions of another implementation, and RFC 9989's own cases.

Where RFC 9989 wants something else than RFC 7489 the row is named in DIFFERENT with what is expected here;
docs/decisions/0004-dkim-arc-dmarc-suites.md says why.
"""

import pytest

from conformance import batch, shared_path, shared_rows

# name of the row -> what holds here: RFC 9989 5.3.1 extracts domains, and two addresses of one domain give one
DIFFERENT = {"Should return false for headerFrom array with multiple elements": {"result": "pass"}}


def dns(zone):
    rows = []
    for name, types in zone.items():
        if "error" in types:
            rows.append([name, "TXT", "TIMEOUT"])
        for record in types.get("TXT", []):
            rows.append([name, "TXT", record])
    return rows


def passed(domains):
    names = [d if isinstance(d, str) else d["domain"] for d in domains]
    return [{"domain": n, "result": "pass"} for n in names]


def recorded():
    for row in shared_rows("dmarc", "mailauth-dmarc-verify.jsonl"):
        for i, asked in enumerate(row["inputs"]):
            yield row, i, asked


def wanted(row, i):
    """The expectations of the row that the answer can meet: result, policy, domains, alignment."""
    prefix = "result." if i == 0 else f"result{i + 1}."
    members = {"status.result": "result", "policy": "policy", "p": "policy", "domain": "policy_domain",
               "status.header.d": "policy_domain"}
    for e in row["expect"]:
        key = e["path"][len(prefix):] if e["path"].startswith(prefix) else None
        if key in members and e["op"] == "equal":
            yield members[key], e["value"]


def ask(from_, zone, spf=(), dkim=(), **more):
    line = dict(more, id=1, spf=passed(spf), dkim=passed(dkim), dns=zone)
    line["from"] = from_
    return batch("dmarc", "eval", [line])[0]


def test_recorded_decisions():
    rows = list(recorded())
    answers = batch("dmarc", "eval", [
        {"id": n, "from": asked["headerFrom"], "spf": passed(asked["spfDomains"]), "dkim": passed(asked["dkimDomains"]),
         "dns": dns(asked["zone"])} for n, (_, _, asked) in enumerate(rows)])
    wrong, different = [], set()
    for (row, i, _), answer in zip(rows, answers):
        for member, value in wanted(row, i):
            if answer.get(member) != value:
                wrong.append((row["name"], member, value, answer))
        for member, value in DIFFERENT.get(row["name"], {}).items():
            assert answer[member] == value, answer
            different.add(row["name"])
    assert not wrong, wrong
    assert len({r["name"] for r, _, _ in rows}) == 34 and different == set(DIFFERENT)


RECORD = "v=DMARC1; p=reject; "


@pytest.mark.parametrize("from_,zone,spf,dkim,want", [
    # the tree walk, 4.10: the organization is the highest record, or what psd= says
    ("a@b.c.example.com", {"example.com": RECORD}, [], ["example.com"], {"result": "pass", "org_domain": "example.com"}),
    ("a@b.c.example.com", {"c.example.com": RECORD + "psd=n", "example.com": RECORD}, [], ["example.com"],
     {"result": "fail", "org_domain": "c.example.com", "policy_domain": "c.example.com"}),
    ("a@shop.gov.example", {"gov.example": "v=DMARC1; p=none; sp=quarantine; psd=y"}, [], [],
     {"result": "fail", "org_domain": "shop.gov.example", "policy_domain": "gov.example", "policy": "quarantine"}),
    ("a@shop.gov.example", {"gov.example": RECORD + "psd=y"}, [], ["other.gov.example"], {"result": "fail"}),
    ("a@gov.example", {"gov.example": RECORD + "psd=y"}, [], ["gov.example"], {"result": "pass"}),
    # more than eight labels: the walk goes on at seven
    ("x@a.b.c.d.e.f.g.h.i.example", {"d.e.f.g.h.i.example": RECORD}, [], [], {"result": "fail", "policy": "reject",
                                                                          "policy_domain": "d.e.f.g.h.i.example"}),
    ("x@a.b.c.d.e.f.g.h.i.example", {"b.c.d.e.f.g.h.i.example": RECORD}, [], [], {"result": "none"}),
    # np= for names that do not exist, sp= for those that do
    ("a@no.example.com", {"example.com": RECORD + "sp=none; np=quarantine"}, [], [], {"policy": "quarantine"}),
    ("a@yes.example.com", {"example.com": RECORD + "sp=none; np=quarantine"}, [], [], {"policy": "none"}),
    # t=y: one step milder
    ("a@example.com", {"example.com": RECORD + "t=y"}, [], [], {"policy": "reject", "disposition": "quarantine"}),
    ("a@example.com", {"example.com": "v=DMARC1; p=quarantine; t=y"}, [], [], {"disposition": "none"}),
    ("a@example.com", {"example.com": RECORD + "pct=0"}, [], [], {"disposition": "reject"}),
    # records that are none, or say too little
    ("a@example.com", {"example.com": "v=dmarc1; p=reject"}, [], [], {"result": "none"}),
    ("a@example.com", {"example.com": "p=reject; v=DMARC1"}, [], [], {"result": "none"}),
    ("a@example.com", {"example.com": "v=DMARC1; P=Reject"}, [], [], {"result": "fail", "policy": "reject"}),
    ("a@example.com", {"example.com": "v=DMARC1; rua=mailto:d@example.com"}, [], [], {"result": "fail", "policy": "none"}),
    ("a@example.com", {"example.com": "v=DMARC1; p=reject; sp=bad; rua=mailto:d@example.com"}, [], [], {"policy": "none"}),
    ("a@example.com", {"example.com": "v=DMARC1; p=bad"}, [], [], {"result": "none"}),
    # one author, several, none; and tricks
    ("A <a@example.com>, B <b@EXAMPLE.com.>", {"example.com": RECORD}, [], ["example.com"], {"result": "pass"}),
    ("a@example.com, b@example.net", {"example.com": RECORD}, [], ["example.com"], {"result": "permerror"}),
    ("", {}, [], [], {"result": "permerror"}),
    ("\"b@evil.example\" <a@example.com>", {"example.com": RECORD}, [], ["evil.example"], {"result": "fail"}),
    ("a@example.com (b@evil.example)", {"example.com": RECORD}, [], ["evil.example"], {"result": "fail"}),
    ("a@(c)example.com", {"example.com": RECORD}, [], ["example.com"], {"result": "pass"}),
    ("a@evil.example(.example.com", {"example.com": RECORD}, [], ["evil.example"], {"result": "permerror"}),
    ("<a@evil.example> <b@example.com>", {"example.com": RECORD}, [], ["evil.example"], {"result": "permerror"}),
    ("a@example.com>b@evil.example", {"example.com": RECORD}, [], ["evil.example"], {"result": "permerror"}),
    ("a@example.com\u0000.evil.example", {"example.com": RECORD}, [], ["evil.example"], {"result": "permerror"}),
    ("=?utf-8?Q?a=40example.com?= <b@evil.example>", {"evil.example": RECORD}, [], ["evil.example"], {"result": "pass"}),
    ("<=?utf-8?Q?a=40example.com=3E?=b@evil.example>", {"example.com": RECORD}, [], [], {"result": "none"}),
])
def test_rfc_9989(from_, zone, spf, dkim, want):
    rows = [[f"_dmarc.{name}", "TXT", text] for name, text in zone.items()] + [["yes.example.com", "A", "192.0.2.1"]]
    answer = ask(from_, rows, spf, dkim)
    assert {k: answer.get(k) for k in want} == want, answer


@pytest.mark.parametrize("outcome", ["TIMEOUT", "SERVFAIL", "BOGUS"])
def test_trouble_of_the_dns_is_no_verdict(outcome):
    assert ask("a@example.com", [["_dmarc.example.com", "TXT", outcome]])["result"] == "temperror"
    # what is aligned without a further question passes all the same
    zone = [["_dmarc.mail.example.com", "TXT", RECORD], ["_dmarc.example.com", "TXT", outcome]]
    assert ask("a@mail.example.com", zone, dkim=["mail.example.com"])["result"] == "pass"
    assert ask("a@mail.example.com", zone, dkim=["example.com"])["result"] == "temperror"


def test_old_style_by_the_public_suffix_list():
    psl = shared_path("psl", "public_suffix_list.dat")
    zone = [["_dmarc.example.co.uk", "TXT", RECORD]]
    assert ask("a@x.example.co.uk", zone, dkim=["y.example.co.uk"], psl=psl)["org_domain"] == "example.co.uk"
    assert ask("a@x.example.co.uk", [["_dmarc.co.uk", "TXT", RECORD]], psl=psl)["result"] == "none"
    assert ask("a@x.example.co.uk", [["_dmarc.co.uk", "TXT", RECORD]])["policy_domain"] == "co.uk"
