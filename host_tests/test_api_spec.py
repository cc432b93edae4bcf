# SPDX-License-Identifier: MIT
"""docs/openapi.yaml held against the running firmware (32 bits, 136 KB): requests made from it and against it, by
schemathesis; every answer has to be in the document, and the dongle has to live on."""

import re
import threading

import pytest
import requests
import schemathesis
import yaml
from hypothesis import HealthCheck, settings
from schemathesis.checks import CHECKS

from host_tests.brokers import eventually
from host_tests.firmware import Wire
from host_tests.house import House
from tools.paths import FIRMWARE, ROOT

PATH = ROOT / "docs" / "openapi.yaml"
DOCUMENT = yaml.safe_load(PATH.read_text())
SCHEMA = schemathesis.openapi.from_path(str(PATH))
# these end with a restart, or never: what they do is tested where they are; here they are asked what must be refused
RESTART = {"change", "restore", "restart"}  # receive and install can't: this dongle is not in slots
ENDLESS = {"events", "diagnostics"}


def did_not_fail(context, answer, case):
    """Full at the moment is an answer of the document: trials of Wi-Fi and broker may go on meanwhile."""
    assert answer.status_code < 500 or answer.status_code == 503 and answer.json()["error"] == "busy", answer.text


LOOKED_AT = [did_not_fail] + [CHECKS.get_one(name) for name in (
    "status_code_conformance", "content_type_conformance", "response_schema_conformance",
    "response_headers_conformance")]
PATIENCE = 20
FEW = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    with Wire() as wire, House(tmp_path_factory.mktemp("spec"), wire) as one:
        stop = threading.Event()
        one.wait_for(one.telegram())
        meter = threading.Thread(target=lambda: [one.telegram() for _ in iter(lambda: stop.wait(0.3), True)])
        meter.start()
        yield one
        stop.set()
        meter.join()


def asks(case, house):
    base = "http://127.0.0.1:%d" % house.port
    case.call_and_validate(base_url=base, timeout=PATIENCE, checks=LOOKED_AT)


@SCHEMA.include(operation_id_regex="^(?!(%s)$)" % "|".join(RESTART | ENDLESS)).parametrize()
@FEW
def test_every_answer_is_in_the_document(case, house):
    asks(case, house)


@pytest.mark.parametrize("path", [path for path in DOCUMENT["paths"]])
def test_what_is_no_request_of_the_document_is_refused_as_it_says(path, house):
    url = "http://127.0.0.1:%d%s" % (house.port, path)
    methods = DOCUMENT["paths"][path]
    for method in ("PUT", "DELETE", "PATCH", "TRACE", "GET", "POST"):
        if method.lower() in methods:
            continue
        answer = requests.request(method, url, timeout=PATIENCE)
        assert answer.status_code == 405 and answer.headers["Allow"], method
        assert answer.json()["error"] == "method"
    if path == "/api/update":  # tells everybody where the way in is, whatever they bring
        answer = requests.post(url, b"x" * 9000, headers={"Content-Type": "application/octet-stream"}, timeout=PATIENCE)
        assert answer.status_code == 409 and answer.json()["error"] == "receive_first"
    elif "post" in methods:
        documented = {int(code) for code in methods["post"]["responses"]}
        for body, kind, status in ((b"{}", "text/plain", 415), (b"a=b", "application/x-www-form-urlencoded", 415),
                                   (b"{", "application/json", 400), (b"[]", "application/json", 400),
                                   (b"\xff\xfe", "application/json", 400),
                                   (b"x" * 9000, "application/json", 413)):
            answer = requests.post(url, body, headers={"Content-Type": kind}, timeout=PATIENCE)
            assert answer.status_code == status and status in documented, body[:10]
            assert re.fullmatch("[a-z_]+", answer.json()["error"]) and len(answer.json()["detail"]) > 2


def test_every_route_is_in_the_document_and_none_else():
    text = (FIRMWARE / "wattport" / "web" / "gate.py").read_text()
    routes = {}
    for line in text.split('_ROUTES = """\n')[1].split('"""')[0].splitlines():
        path, *words = line.split()
        routes[path] = {word.lower() for word in words if word in ("GET", "POST")}
    pages = {"/", "/wall", "/history", "/setup", "/settings"}
    assert {path: set(methods) for path, methods in DOCUMENT["paths"].items()} == {
        path: methods for path, methods in routes.items() if path not in pages}


def test_the_dongle_still_reads_the_meter_after_all_that(house):
    before = house.health()["telegrams"]
    eventually(lambda: house.health()["telegrams"] > before + 2, "telegrams")
    health = house.health()
    assert health["tasks"]["web"]["restarts"] == 0
    assert health["web"]["errors"] == 0 or not house.firmware.logged("Traceback")
