# SPDX-License-Identifier: MIT
from wattport.publish.trial import judge, why


def reason(text, host="nas.local", port=1883):
    return why(text, host, port).split("|")[0]


def test_what_is_wrong_with_the_name_is_told_apart_from_what_is_wrong_with_the_connection():
    assert reason("nas.local: no such name") == "not_found"
    assert reason("nas.local: no answer") == "not_found"
    assert reason("nas.local:1883: no answer") == "no_answer"
    assert reason("nas.local:1883: [Errno 113] EHOSTUNREACH") == "no_answer"
    for text in ("refused", "[Errno 111] ECONNREFUSED", "[Errno 104] ECONNRESET"):
        assert reason("nas.local:1883: " + text) == "refused"


def test_tls_trouble_is_tls_trouble_whatever_the_host_is_called():
    assert reason("nas.local:1883: TLS: (-9984, 'MBEDTLS_ERR_X509_CERT_VERIFY_FAILED')") == "tls"
    assert "certificate" in why("n:1: TLS: The certificate is signed with an unacceptable hash", "n", 1)
    assert "certificate" not in why("n:1: TLS: no answer", "n", 1)
    assert reason("TLS.local:1883: refused", "TLS.local") == "refused"


def test_a_connack_is_judged_by_its_code():
    assert judge(b"\x20\x02\x00\x00") == judge(b"\x20\x02\x01\x00") == ""
    for code, wanted in ((1, "not_allowed"), (2, "not_allowed"), (3, "not_allowed"), (4, "login"), (5, "login"),
                         (6, "not_allowed"), (255, "not_allowed")):
        reason, sentence = judge(b"\x20\x02\x00%c" % code).split("|") if code < 128 else \
            judge(b"\x20\x02\x00\xff").split("|")
        assert reason == wanted and sentence


def test_what_is_no_connack_is_no_broker():
    for answer in (b"", b"\x20", b"\x20\x02\x00", b"HTTP", b"\x20\x03\x00\x00", b"\x30\x02\x00\x00"):
        assert judge(answer).startswith("no_broker|")
