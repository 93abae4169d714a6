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
    ("a@no.example.com", {"example.com": RECORD + "sp=none"}, [], [], {"policy": "none"}),
    ("a@no.example.com", {"example.com": RECORD}, [], [], {"policy": "reject"}),
    ("a@dangling.example.com", {"example.com": RECORD + "np=none"}, [], [], {"policy": "reject"}),  # a CNAME is there: it exists
    ("a@example.com", {"example.com": RECORD + "sp=none; np=none"}, [], [], {"policy": "reject"}),
    ("a@b.shop.gov.example", {"gov.example": "v=DMARC1; p=none; np=reject; psd=y"}, [], [],
     {"policy": "reject", "policy_domain": "gov.example", "org_domain": "shop.gov.example"}),
    # sp= of a record between the author and the organization counts for nobody
    ("a@x.b.example.com", {"b.example.com": "v=DMARC1; p=none; sp=none", "example.com": RECORD + "sp=quarantine"}, [], [],
     {"policy": "quarantine", "policy_domain": "example.com"}),
    # the three worked examples of B.4
    ("a@example.com", {"example.com": RECORD, "signing.example.com": RECORD}, [], ["signing.example.com"],
     {"result": "pass", "org_domain": "example.com"}),
    ("x@a.b.c.d.e.f.g.h.i.j.k.example.com", {"example.com": RECORD, "signing.example.com": RECORD}, ["example.com"],
     ["signing.example.com"], {"result": "pass", "org_domain": "example.com", "policy_domain": "example.com"}),
    ("a@giant.bank.example", {"bank.example": RECORD + "psd=y", "giant.bank.example": RECORD}, ["mail.giant.bank.example"],
     ["mail.mega.bank.example"], {"result": "pass", "aligned_spf": True, "aligned_dkim": False,
                                  "org_domain": "giant.bank.example", "policy_domain": "giant.bank.example"}),
    # checkdmarc's wrong answers
    ("a@a.b.ex.example", {"b.ex.example": "v=DMARC1; p=none", "ex.example": RECORD + "sp=quarantine"}, [], [],
     {"policy": "quarantine", "policy_domain": "ex.example"}),
    ("a@example.com", {"example.com": "v = DMARC1; p = reject"}, [], [], {"result": "fail", "policy": "reject"}),
    # alignment: strict and relaxed apart for SPF and DKIM
    ("a@example.com", {"example.com": RECORD + "adkim=s"}, ["m.example.com"], ["m.example.com"],
     {"aligned_spf": True, "aligned_dkim": False, "result": "pass"}),
    ("a@example.com", {"example.com": RECORD + "aspf=s; adkim=s"}, ["m.example.com"], ["EXAMPLE.com"], {"result": "pass"}),
    ("a@example.com", {"example.com": RECORD + "aspf=s; adkim=s"}, ["m.example.com"], ["m.example.com"], {"result": "fail"}),
    ("a@example.com", {"example.com": RECORD}, ["notexample.com"], ["example.com.evil.example"], {"result": "fail"}),
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
    rows = [[f"_dmarc.{name}", "TXT", text] for name, text in zone.items()] + [
        ["yes.example.com", "A", "192.0.2.1"], ["dangling.example.com", "CNAME", "nowhere.example.com"]]
    answer = ask(from_, rows, spf, dkim)
    assert {k: answer.get(k) for k in want} == want, answer


def walk_of(domain):
    """The names of RFC 9989 4.10 in order, as an independent few lines."""
    labels = domain.split(".")
    names = [domain]
    labels = labels[1:] if len(labels) < 8 else labels[-7:]
    while labels:
        names.append(".".join(labels))
        labels = labels[1:]
    return names


@pytest.mark.parametrize("count", [1, 2, 7, 8, 9, 12, 30])
def test_walk_asks_these_names_and_no_others(count):
    """Each name of the walk decides when it alone has a record; each other parent does not. Never more than eight."""
    domain = ".".join([f"l{i}" for i in range(count - 1)] + ["example"])
    walk = walk_of(domain)
    assert len(walk) <= 8
    parents = [domain.split(".", i)[i] for i in range(count)]
    answers = batch("dmarc", "eval", [{"id": name, "from": "a@" + domain, "spf": [], "dkim": [],
                                       "dns": [[f"_dmarc.{name}", "TXT", RECORD]]} for name in parents])
    for name, answer in zip(parents, answers):
        assert answer["policy_domain"] == (name if name in walk else None), (name, answer)


@pytest.mark.parametrize("outcome", ["TIMEOUT", "SERVFAIL", "BOGUS"])
def test_trouble_of_the_dns_is_no_verdict(outcome):
    assert ask("a@example.com", [["_dmarc.example.com", "TXT", outcome]])["result"] == "temperror"
    # what is aligned without a further question passes all the same, and what cannot be aligned fails
    zone = [["_dmarc.mail.example.com", "TXT", RECORD], ["_dmarc.example.com", "TXT", outcome]]
    assert ask("a@mail.example.com", zone, dkim=["mail.example.com"])["result"] == "pass"
    assert ask("a@mail.example.com", zone, dkim=["example.com"])["result"] == "temperror"
    assert ask("a@mail.example.com", zone, dkim=["example.net"])["result"] == "fail"
    assert ask("a@mail.example.com", zone)["result"] == "fail"
    strict = [["_dmarc.mail.example.com", "TXT", RECORD + "adkim=s; aspf=s"], ["_dmarc.example.com", "TXT", outcome]]
    assert ask("a@mail.example.com", strict, dkim=["example.com"])["result"] == "fail"
    # 5.3.6: a record found above a name that gave no answer is not known to be the one that applies
    zone = [["_dmarc.mail.example.com", "TXT", outcome], ["_dmarc.example.com", "TXT", RECORD]]
    assert ask("a@mail.example.com", zone, dkim=["example.com"])["result"] == "temperror"
    assert ask("a@mail.example.com", zone)["result"] == "temperror"
    # the walk of an identifier: one that is not known to share our organization does not align
    zone = [["_dmarc.example.com", "TXT", RECORD], ["_dmarc.mail.example.com", "TXT", outcome]]
    assert ask("a@example.com", zone, dkim=["mail.example.com"])["result"] == "temperror"
    assert ask("a@example.com", zone, dkim=["mail.example.com", "www.example.com"])["result"] == "pass"
    # np= hangs on whether the name exists
    zone = [["_dmarc.example.com", "TXT", RECORD + "np=none"], ["x.example.com", "A", outcome]]
    assert ask("a@x.example.com", zone)["result"] == "temperror"
    assert ask("a@x.example.com", zone, dkim=["example.com"])["result"] == "pass"


@pytest.mark.parametrize("record,word", [
    (RECORD + "pct=50", "pct"), (RECORD + "adkim=x", "adkim"), (RECORD + "t=y", "t=y"), ("v=dmarc1; p=reject", "capitals"),
    ("v=DMARC1; p=bad; rua=mailto:d@example.com", "none, quarantine or reject"), (RECORD + "rua=d@example.com", "mailto"),
    (RECORD + "rua=mailto:d@example.com!10m", "size"), (RECORD, None), ("v = DMARC1; p=reject", None)])
def test_warnings(record, word):
    warnings = ask("a@example.com", [["_dmarc.example.com", "TXT", record]])["warnings"]
    assert (len(warnings) == 1 and word in warnings[0]) if word else warnings == []


def test_several_records_are_none():
    rows = [["_dmarc.example.com", "TXT", RECORD], ["_dmarc.example.com", "TXT", "v=DMARC1; p=none"]]
    answer = ask("a@example.com", rows)
    assert answer["result"] == "none" and "several" in answer["warnings"][0]


def test_reports_are_listed_with_who_agreed():
    """RFC 9990 3; the many ways to cheat are rows of src/auth/dmarc_report_test.c."""
    rows = [["_dmarc.blue.example.com", "TXT", RECORD + "rua=mailto:a@blue.example.com,mailto:b@red.example.net,mailto:c@victim.example; "
             "ruf=mailto:d@sick.example.net,https://x.example/"],
            ["blue.example.com._report._dmarc.red.example.net", "TXT", "v=DMARC1"],
            ["blue.example.com._report._dmarc.sick.example.net", "TXT", "SERVFAIL"]]
    got = [(r["tag"], r["host"], r["authorised"], r["asked"]) for r in ask("a@blue.example.com", rows)["reports"]]
    assert got == [
        ("rua", "blue.example.com", True, None),
        ("rua", "red.example.net", True, "blue.example.com._report._dmarc.red.example.net"),
        ("rua", "victim.example", False, "blue.example.com._report._dmarc.victim.example"),
        ("ruf", "sick.example.net", None, "blue.example.com._report._dmarc.sick.example.net"),
        ("ruf", None, False, None)]
    # one record for all who ask: a wildcard, and a record that is no DMARC record agrees to nothing
    rows[1] = ["blue.example.com._report._dmarc.red.example.net", "TXT", "yes please"]
    assert ask("a@blue.example.com", rows)["reports"][1]["authorised"] is False


def test_old_style_by_the_public_suffix_list():
    psl = shared_path("psl", "public_suffix_list.dat")
    zone = [["_dmarc.example.co.uk", "TXT", RECORD]]
    assert ask("a@x.example.co.uk", zone, dkim=["y.example.co.uk"], psl=psl)["org_domain"] == "example.co.uk"
    assert ask("a@x.example.co.uk", [["_dmarc.co.uk", "TXT", RECORD]], psl=psl)["result"] == "none"
    assert ask("a@x.example.co.uk", [["_dmarc.co.uk", "TXT", RECORD]])["policy_domain"] == "co.uk"
