"""ARC by `postern arc verify|seal --batch`: the whole public suite of ValiMail, validating and sealing."""
import base64
import re

from conformance import batch, shared_path, shared_rows


def keys(records):
    return [[name.rstrip("."), "TXT", text] for name, text in records.items()]


def test_validation():
    rows = shared_rows("arc", "validate-cases.jsonl")
    answers = batch("arc", "verify", [
        {"id": row["id"], "message": shared_path("arc", row["message"]), "dns": keys(row["dns"])} for row in rows])
    wrong = [(row["id"], row["cv"], answer) for row, answer in zip(rows, answers)
             if answer["result"] != row["cv"] and row["cv"]]
    assert not wrong, wrong
    assert len(rows) == 171 and sum(row["cv"] == "" for row in rows) == 3  # the suite leaves three undefined
    assert all(answer["reason"] for answer in answers if answer["result"] == "fail")


def tags(field):
    pairs = [tag.partition("=") for tag in field.split(";") if tag.strip()]
    return {name.strip(): re.sub(r"\s+", "", value) for name, _, value in pairs}


def seal_line(row, **more):
    return dict({"id": row["id"], "message_b64": base64.b64encode(row["message"].encode()).decode(),
                 "domain": row["domain"], "selector": row["sel"], "key": row["privatekey"], "headers": row["sig-headers"],
                 "authserv_id": row["srv-id"], "timestamp": row["t"], "dns": keys(row["txt-records"])}, **more)


def test_sealing():
    """RSA is deterministic, so the signatures themselves are compared."""
    rows = shared_rows("arc", "sign-cases.jsonl")
    for row, answer in zip(rows, batch("arc", "seal", [seal_line(row) for row in rows])):
        if not row["AS"]:  # a chain that failed before is left alone
            assert answer["headers"] == [], row["id"]
            continue
        seal, message, results = answer["headers"]
        assert tags(seal.partition(":")[2]) == tags(row["AS"]), row["id"]
        assert tags(message.partition(":")[2]) == tags(row["AMS"]), row["id"]
        assert results.partition(":")[2].split() == row["AAR"].split(), row["id"]
    assert len(rows) == 17


def test_what_we_seal_verifies_to_the_last_set():
    row = shared_rows("arc", "sign-cases.jsonl")[0]
    message = row["message"].replace("\n", "\r\n")
    for n in range(1, 52):
        line = seal_line(row, id=n, message_b64=base64.b64encode(message.encode()).decode())
        headers = batch("arc", "seal", [line])[0]["headers"]
        assert len(headers) == (3 if n <= 50 else 0)  # RFC 8617 4.2.1: fifty sets at most
        message = "".join(headers) + message
        if n in (1, 2, 50):
            check = {"id": n, "message_b64": base64.b64encode(message.encode()).decode(), "dns": line["dns"]}
            assert batch("arc", "verify", [check])[0] == {"id": n, "result": "pass", "reason": None}
        if n == 2:
            broken = message.replace("Hey gang", "Hey dear")
            check["message_b64"] = base64.b64encode(broken.encode()).decode()
            assert batch("arc", "verify", [check])[0]["result"] == "fail"


def test_trouble_of_the_dns_is_not_sealed_as_a_fail_for_ever():
    row = shared_rows("arc", "sign-cases.jsonl")[0]
    sealed = "".join(batch("arc", "seal", [seal_line(row)])[0]["headers"]) + row["message"].replace("\n", "\r\n")
    line = seal_line(row, message_b64=base64.b64encode(sealed.encode()).decode(),
                     dns=[[name, "TXT", "TIMEOUT"] for name in row["txt-records"]])
    assert "error" in batch("arc", "seal", [line])[0]
