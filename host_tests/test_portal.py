# SPDX-License-Identifier: MIT
"""The portal of the whole firmware: how a phone is led to it, who may set up, and trials before anything is saved."""

import json
import random
import socket
import threading
import time

import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rrset
import pytest

from host_tests.brokers import PATIENCE, Authority, BadBroker, Listener, Mosquitto, eventually, free_port
from host_tests.firmware import Firmware, Wire
from host_tests.test_mqtt_trouble import says, silent
from tools import meters

KEY = "000102030405060708090a0b0c0d0e0f"
AUTH = "d0d1d2d3d4d5d6d7d8d9dadbdcdddedf"
WRONG = "f" * 32
HOME = {"ssid": "Home", "password": "correct horse", "channel": 11, "rssi": -48}
PHONE = "127.0.0.1"


class House:
    """A dongle that nobody has set up, in the middle of some Wi-Fi networks."""

    def __init__(self, folder, settings=None, networks=(HOME,), ap=None, **environment):
        self.folder = folder
        self.port = free_port()
        self.dns_port = free_port()
        self.air = folder / "air.json"
        self.set_air(networks, ap)
        self.settings = {**(settings or {}), "web": {"port": self.port, **(settings or {}).get("web", {})}}
        self._environment = {"WATTPORT_AIR": str(self.air), "WATTPORT_DNS_PORT": str(self.dns_port), **environment}

    def set_air(self, networks, ap=None):
        new = self.air.with_suffix(".new")
        new.write_text(json.dumps({"networks": networks, **({"ap": ap} if ap else {})}))
        new.replace(self.air)

    def __enter__(self):
        self.wire = Wire()
        self.firmware = Firmware(self.folder, self.wire.uart, self.settings, environment=self._environment)
        self.firmware.wait_for_log("web: dashboard")
        eventually(lambda: self.firmware.logged("set-up: join") or self.firmware.logged("Wi-Fi connected"))
        return self

    def __exit__(self, *_):
        self.firmware.__exit__()
        self.wire.__exit__()

    def raw(self, request, source=PHONE, to=PHONE):
        """(status, headers in lower case, body) of what a request gets."""
        with socket.create_connection((to, self.port), PATIENCE, (source, 0)) as sock:
            sock.settimeout(PATIENCE)
            sock.sendall(request)
            answer = b""
            while True:
                more = sock.recv(4096)
                if not more:
                    break
                answer += more
        head, _, body = answer.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        return int(first.split()[1]), headers, body

    def get(self, path, host=PHONE, **rest):
        return self.raw(("GET %s HTTP/1.1\r\nHost: %s\r\n\r\n" % (path, host)).encode(), **rest)

    def ask(self, path, document=None, **rest):
        """(status, document) of an API call."""
        if document is None:
            status, _, body = self.get(path, **rest)
        else:
            body = json.dumps(document).encode()
            status, _, body = self.raw((
                "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
                % (path, len(body))).encode() + body, **rest)
        return status, json.loads(body)

    def state(self, group):
        return self.ask("/api/try")[1][group]

    def try_it(self, group, document):
        """Begin a trial, wait for its end."""
        assert self.ask("/api/try/" + group, document) == (200, {})
        return self.until(group, "ok", "failed")

    def until(self, group, *states):
        return eventually(lambda: [told for told in [self.state(group)] if told["state"] in states], states)[0]

    def resolve(self, name, kind="A"):
        reply = dns.query.udp(dns.message.make_query(name, kind), PHONE, PATIENCE, self.dns_port)
        return [str(rdata) for rrset in reply.answer for rdata in rrset]


# ---- the way to the page

def test_without_any_settings_the_portal_is_open_and_the_meter_is_read_all_the_same(tmp_path):
    meter = meters.make("dsmr5", seed=5, start=1_760_000_000)
    with House(tmp_path) as house:
        point = eventually(lambda: json.loads((tmp_path / "state" / "access_point.json").read_text()))
        assert point["active"] and point["ssid"].endswith(house.firmware.identity[-4:])
        assert house.firmware.logged("then open http://%s:%d" % (PHONE, house.port))
        assert point["security"] == 3 and len(point["password"]) >= 8
        house.wire.send(meter.next()[0])
        told = eventually(lambda: [told for told in [house.state("meter")] if told["telegrams"]])[0]
        assert told["state"] == "ok" and told["family"] == "dsmr5" and isinstance(told["power_w"], int)
        status = house.ask("/api/status")[1]
        assert status["portal"] and status["setup"] and not status["wifi"]
        assert house.ask("/api/health")[1]["mqtt"] == {}
        assert not house.firmware.logged("error")


@pytest.mark.parametrize("url", [
    "connectivitycheck.gstatic.com/generate_204",
    "www.google.com/gen_204",
    "clients3.google.com/generate_204",
    "captive.apple.com/hotspot-detect.html",
    "captive.apple.com/",
    "www.apple.com/library/test/success.html",
    "www.msftconnecttest.com/connecttest.txt",
    "www.msftconnecttest.com/redirect",
    "www.msftncsi.com/ncsi.txt",
    "detectportal.firefox.com/success.txt?ipv4",
    "detectportal.firefox.com/canonical.html",
    "connectivity-check.ubuntu.com/",
    "nmcheck.gnome.org/check_network_status.txt",
    "connectivitycheck.platform.hicloud.com/generate_204",
])
def test_what_a_phone_asks_to_see_whether_there_is_an_internet_leads_to_the_set_up(portal, url):
    host, _, path = url.partition("/")
    assert portal.resolve(host) == [PHONE] and portal.resolve(host, "AAAA") == []
    for method in ("GET", "HEAD"):
        status, headers, body = portal.raw(("%s /%s HTTP/1.1\r\nHost: %s\r\nUser-Agent: x\r\n\r\n"
                                            % (method, path, host)).encode())
        assert status == 302 and headers["location"] == "http://%s:%d/setup" % (PHONE, portal.port)
        assert "no-store" in headers["cache-control"]
        assert headers["content-type"] == "text/html"  # some phones show it instead of going there
        assert body == b"" if method == "HEAD" else b'<a href="%s">' % headers["location"].encode() in body


@pytest.fixture(scope="module")
def portal(tmp_path_factory):
    with House(tmp_path_factory.mktemp("portal")) as house:
        yield house


def test_the_page_itself_is_there_and_the_root_leads_to_it(portal):
    status, headers, _ = portal.get("/")
    assert status == 302 and headers["location"].endswith("/setup")
    status, headers, body = portal.get("/setup")
    assert status == 200 and "html" in headers["content-type"] and len(body) > 1000


def test_the_name_server_answers_on_whatever_else_comes_in(portal):
    noise = random.Random(4)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        for count in range(500):
            udp.sendto(noise.randbytes(noise.randrange(1400)), (PHONE, portal.dns_port))
            if count % 100 == 0:
                assert portal.resolve("captive.apple.com") == [PHONE]
    assert portal.resolve("captive.apple.com") == [PHONE]
    assert portal.ask("/api/health")[1]["tasks"]["portal"]["restarts"] == 0
    assert len(portal.firmware.logged("packets to the name server were no questions")) == 1


def test_only_who_is_on_the_access_point_may_set_up(tmp_path):
    ap = {"address": "127.0.4.1", "netmask": "255.255.255.0"}
    with House(tmp_path, ap=ap) as house:
        assert house.ask("/api/status", source="127.0.4.9")[1]["setup"]
        assert house.ask("/api/try", source="127.0.4.9")[0] == 200
        for path in ("/api/try", "/api/networks", "/api/brokers", "/api/settings"):
            status, answer = house.ask(path, source="127.0.5.9")
            assert status == 403 and answer["error"] == "no_password"
        status, answer = house.ask("/api/try/key", {"key": KEY}, source="127.0.5.9")
        assert status == 403 and answer["error"] == "no_password"
        assert not house.ask("/api/status", source="127.0.5.9")[1]["setup"]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:  # and the name server is the access point's
            udp.connect((PHONE, house.dns_port))
            udp.settimeout(0.5)
            udp.send(dns.message.make_query("a.example", "A").to_wire())
            with pytest.raises(OSError):
                udp.recv(512)


def test_with_a_wifi_set_and_no_password_nothing_can_be_set_from_the_network(tmp_path):
    with House(tmp_path, {"wifi": {"ssid": "Home", "password": HOME["password"]}}) as house:
        assert not house.ask("/api/status")[1]["portal"]
        status, answer = house.ask("/api/try/key", {"key": KEY})
        assert status == 403 and answer["error"] == "no_password" and "button" in answer["detail"]
        assert house.get("/generate_204", host="connectivitycheck.gstatic.com")[0] == 421


# ---- trials

def test_networks_are_listed_with_the_strongest_first(tmp_path):
    weak = {"ssid": "Café", "password": "", "rssi": -85}
    with House(tmp_path, networks=[weak, HOME, {**HOME, "rssi": -70}]) as house:
        assert house.ask("/api/networks")[1]["networks"] == [
            {"ssid": "Home", "rssi": -48, "secure": True}, {"ssid": "Café", "rssi": -85, "secure": False}]


def test_a_wrong_wifi_password_is_told_and_the_right_one_gives_an_address(tmp_path):
    with House(tmp_path) as house:
        told = house.try_it("wifi", {"ssid": "Home", "password": "wrong horse"})
        assert told["state"] == "failed" and told["reason"] == "wrong_password" and told["detail"]
        assert house.try_it("wifi", {"ssid": "Away", "password": "wrong horse"})["reason"] == "not_found"
        told = house.try_it("wifi", {"ssid": "Home", "password": HOME["password"]})
        assert told["state"] == "ok" and told["address"] == "127.0.0.1" and told["ssid"] == "Home"
        # nothing is saved by that, and the portal stays
        assert "wifi" not in json.loads((tmp_path / "state" / "settings.json").read_text())
        assert house.ask("/api/status")[1]["portal"]
        assert house.firmware.starts == 1


@pytest.mark.parametrize("group, document, setting", [
    ("wifi", {"ssid": "", "password": ""}, "wifi.ssid"),
    ("wifi", {"ssid": "x" * 33, "password": ""}, "wifi.ssid"),
    ("wifi", {"ssid": "Home", "password": "short"}, "wifi.password"),
    ("mqtt", {"host": ""}, "mqtt.host"),
    ("mqtt", {"host": "http://broker"}, "mqtt.host"),
    ("mqtt", {"host": "broker", "port": 0}, "mqtt.port"),
    ("mqtt", {"host": "broker", "prot": 1883}, "mqtt.prot"),
    ("mqtt", {"host": "broker", "tls": True}, "mqtt.ca"),
    ("key", {"key": "00 11", "auth_key": ""}, "meter.key"),
    ("key", {"key": KEY, "auth_key": "x"}, "meter.auth_key"),
    ("key", {"key": 5}, "meter.key"),
])
def test_what_cannot_be_tried_is_refused_by_the_name_of_the_setting(portal, group, document, setting):
    status, answer = portal.ask("/api/try/" + group, document)
    assert status == 422 and answer["error"] == "setting" and answer["setting"] == setting and answer["detail"]


def test_one_test_at_a_time(tmp_path):
    with BadBroker(silent) as broker, House(tmp_path) as house:
        house.try_it("wifi", {"ssid": "Home", "password": HOME["password"]})
        for group, document in (("mqtt", {"host": "127.0.0.1", "port": broker.port}),
                                ("wifi", {"ssid": "Home", "password": "wrong horse"})):
            assert house.ask("/api/try/" + group, document) == (200, {})
            status, answer = house.ask("/api/try/" + group, document)
            assert status == 409 and answer["error"] == "busy"


@pytest.fixture(scope="module")
def joined(tmp_path_factory):
    """A portal whose station is on the household's network."""
    with House(tmp_path_factory.mktemp("joined")) as house:
        house.try_it("wifi", {"ssid": "Home", "password": HOME["password"]})
        yield house


def test_a_broker_that_takes_user_and_password_is_found_good_and_sees_a_clean_goodbye(joined, tmp_path):
    with Mosquitto(tmp_path, {"ann": "secret word"}) as broker:
        settings = {"host": "127.0.0.1", "port": broker.port, "user": "ann", "password": "secret word"}
        told = joined.try_it("mqtt", settings)
        assert told == {"state": "ok", "reason": "", "detail": "", "host": "127.0.0.1", "port": broker.port,
                        "user": "ann", "tls": False}
        for wrong in ({"password": "secret"}, {"user": "bob"}, {"user": "", "password": ""}):
            told = joined.try_it("mqtt", {**settings, **wrong})
            assert (told["state"], told["reason"]) == ("failed", "login")
            assert "user name or the password" in told["detail"]


def test_a_broker_over_tls_is_tried_with_its_certificate(joined, tmp_path):
    authority = Authority()
    with Mosquitto(tmp_path, certificate=authority.server(tmp_path, "localhost")) as broker:
        settings = {"host": "localhost", "port": broker.port, "tls": True, "ca": authority.pem}
        assert joined.try_it("mqtt", settings)["state"] == "ok"
        told = joined.try_it("mqtt", {**settings, "ca": Authority().pem})
        assert told["reason"] == "tls" and "certificate" in told["detail"]
        told = joined.try_it("mqtt", {"host": "localhost", "port": broker.port})
        assert told["reason"] == "no_broker" and "TLS" in told["detail"]
    with Mosquitto(tmp_path) as broker:
        told = joined.try_it("mqtt", {**settings, "port": broker.port})
        assert told["reason"] == "tls" and "certificate" not in told["detail"]


def test_a_port_where_nothing_listens_and_a_name_that_nobody_has_are_told_apart(joined):
    assert joined.try_it("mqtt", {"host": "127.0.0.1", "port": free_port()})["reason"] == "refused"
    told = joined.try_it("mqtt", {"host": "nobody.invalid", "port": 1883})
    assert told["reason"] == "not_found" and "name" in told["detail"]


def ends(connection):
    pass


@pytest.mark.parametrize("answer, reason", [
    (b"\x20\x02\x00\x01", "not_allowed"), (b"\x20\x02\x00\x02", "not_allowed"), (b"\x20\x02\x00\x03", "not_allowed"),
    (b"\x20\x02\x00\x04", "login"), (b"\x20\x02\x00\x05", "login"), (b"HTTP/1.1 400 Bad Request\r\n\r\n", "no_broker"),
    (b"", "no_broker"), (b"\x20", "no_broker")], ids=lambda value: str(value)[:16])
def test_what_a_broker_answers_is_told_in_words(joined, answer, reason):
    with BadBroker(says(answer, ends)) as broker:
        told = joined.try_it("mqtt", {"host": "127.0.0.1", "port": broker.port})
        assert (told["state"], told["reason"]) == ("failed", reason) and told["detail"]


def test_a_broker_that_says_nothing_costs_the_time_out_and_stops_nothing(joined):
    with BadBroker(silent) as broker:
        assert joined.ask("/api/try/mqtt", {"host": "127.0.0.1", "port": broker.port}) == (200, {})
        assert joined.state("mqtt")["state"] == "trying"
        assert joined.resolve("captive.apple.com") == [PHONE]
        told = joined.until("mqtt", "ok", "failed")
        assert told["reason"] == "no_broker"


def test_an_address_where_packets_vanish_is_no_answer(joined):
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        full = []  # a listener whose queue is full drops whoever comes next
        for _ in range(4):
            waiting = socket.socket()
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
            full.append(waiting)
        told = joined.try_it("mqtt", {"host": "127.0.0.1", "port": server.getsockname()[1]})
        assert (told["state"], told["reason"]) == ("failed", "no_answer")
        for waiting in full:
            waiting.close()


def test_before_there_is_a_network_a_broker_cannot_be_tried(portal):
    told = portal.try_it("mqtt", {"host": "127.0.0.1"})
    assert told["reason"] == "no_network" and "Wi-Fi" in told["detail"]


def test_a_key_can_be_tried_until_it_is_right_and_is_not_saved_by_that(tmp_path):
    meter = meters.make("kamstrup", seed=5, start=1_760_000_000, key=bytes.fromhex(KEY), auth_key=bytes.fromhex(AUTH))

    def hear(house, reason):
        house.wire.send(meter.next()[0])
        return eventually(lambda: [told for told in [house.state("key")] if told["reason"] == reason], reason)[0]
    with House(tmp_path) as house:
        assert house.state("key")["reason"] == "untested"
        told = hear(house, "missing")
        assert told["state"] == "idle" and "no key is set" in told["detail"]
        for _ in range(2):
            assert house.ask("/api/try/key", {"key": WRONG, "auth_key": ""}) == (200, {})
            assert house.state("key")["state"] == "trying"
            told = hear(house, "wrong")
            assert told["state"] == "failed" and "the key is wrong" in told["detail"]
        assert house.ask("/api/try/key", {"key": KEY, "auth_key": ""}) == (200, {})
        told = hear(house, "ok")
        assert told["state"] == "ok" and "the authentication key is missing" in told["detail"]
        # as letters print it
        printed = " ".join(KEY[i:i + 4] for i in range(0, 32, 4)).upper()
        assert house.ask("/api/try/key", {"key": printed, "auth_key": AUTH}) == (200, {})
        told = hear(house, "ok")
        assert told["state"] == "ok" and told["detail"] == "the key is right"
        assert house.state("meter")["state"] == "ok"
        assert house.ask("/api/try/key", {"key": "", "auth_key": ""}) == (200, {})
        assert hear(house, "missing")["state"] == "failed"
        assert "meter" not in json.loads((tmp_path / "state" / "settings.json").read_text())


def test_a_wrong_authentication_key_is_told_apart(tmp_path):
    meter = meters.make("lu", seed=5, start=1_760_000_000, key=bytes.fromhex(KEY))
    with House(tmp_path) as house:
        house.wire.send(meter.next()[0])
        eventually(lambda: house.state("key")["reason"] == "missing")
        house.ask("/api/try/key", {"key": KEY, "auth_key": WRONG})
        house.wire.send(meter.next()[0])
        told = eventually(lambda: [told for told in [house.state("key")] if told["reason"] == "wrong"])[0]
        assert "authentication key is wrong" in told["detail"]


def test_a_key_for_a_meter_that_does_not_encrypt_is_not_needed(tmp_path):
    meter = meters.make("dsmr5", seed=5, start=1_760_000_000)
    with House(tmp_path) as house:
        house.ask("/api/try/key", {"key": KEY, "auth_key": ""})
        house.wire.send(meter.next()[0])
        told = house.until("key", "ok")
        assert told["reason"] == "unused" and "no key is needed" in told["detail"]


def test_pulses_know_no_key(tmp_path):
    with House(tmp_path, {"meter": {"source": "pulse"}}) as house:
        assert house.ask("/api/try/key", {"key": KEY, "auth_key": ""}) == (200, {})
        assert house.state("key") == {"state": "idle", "reason": "unused", "detail": "what is read here has no key"}


# ---- brokers

class Responder:
    """Answers mDNS questions of one name with the packets given."""

    def __init__(self, answers):
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind((PHONE, 0))
        self._udp.settimeout(PATIENCE)
        self.place = "%s:%d" % self._udp.getsockname()
        self._answers = answers

    def serve(self, count):
        for _ in range(count):
            packet, asker = self._udp.recvfrom(1000)
            # the top bit of the class asks for an answer by unicast
            question = dns.message.from_wire(packet[:-2] + b"\x00\x01").question[0]
            for answer in self._answers.get("%s %s" % (question.name, question.rdtype.name), ()):
                self._udp.sendto(answer, asker)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._udp.close()


def mdns(*records):
    """An answer, from records as a zone file has them; the first is the answer proper."""
    message = dns.message.Message(id=0)
    message.flags = dns.flags.QR | dns.flags.AA
    for place, record in enumerate(records):
        name, kind, data = record.split(" ", 2)
        (message.additional if place else message.answer).append(
            dns.rrset.from_text(dns.name.from_text(name), 120, "IN", kind, data))
    return message.to_wire()


def test_brokers_that_are_there_are_offered_and_those_that_do_not_answer_are_not(tmp_path):
    with Mosquitto(tmp_path) as broker:
        instance = "Mosquitto\\032NAS._mqtt._tcp.local."
        dead = "Gone._mqtt._tcp.local."
        answers = {"_mqtt._tcp.local. PTR": [
            mdns("_mqtt._tcp.local. PTR " + instance, "%s SRV 0 0 %d nas.local." % (instance, broker.port),
                 "nas.local. A 127.0.0.1"),
            mdns("_mqtt._tcp.local. PTR " + dead, "%s SRV 0 0 %d gone.local." % (dead, free_port()),
                 "gone.local. A 127.0.0.1"), b"\xff" * 40]}
        with Responder(answers) as responder, House(tmp_path, WATTPORT_MDNS=responder.place) as house:
            house.try_it("wifi", {"ssid": "Home", "password": HOME["password"]})
            threading.Thread(target=responder.serve, args=(3,), daemon=True).start()
            began = time.monotonic()
            status, answer = house.ask("/api/brokers")
            assert status == 200 and answer["brokers"][0] == {
                "host": "nas.local", "port": broker.port, "name": "mosquitto nas"}
            assert not [one for one in answer["brokers"] if one["host"] == "gone.local"]
            assert time.monotonic() - began < PATIENCE / 2


def test_without_an_answer_there_are_no_brokers(portal):
    assert portal.ask("/api/brokers") == (200, {"brokers": []})


# ---- the end of it

def test_what_was_tried_is_saved_without_saying_it_again_and_after_the_restart_readings_reach_the_broker(tmp_path):
    meter = meters.make("lu", seed=5, start=1_760_000_000, key=bytes.fromhex(KEY))
    with Mosquitto(tmp_path, {"ann": "secret word"}) as broker, House(tmp_path) as house:
        house.wire.send(meter.next()[0])
        house.try_it("wifi", {"ssid": "Home", "password": HOME["password"]})
        mqtt = {"host": "127.0.0.1", "port": broker.port, "user": "ann"}
        house.try_it("mqtt", {**mqtt, "password": "secret word"})
        house.ask("/api/try/key", {"key": KEY, "auth_key": ""})
        house.wire.send(meter.next()[0])
        house.until("key", "ok")
        # a phone that came back knows no secret any more, and none is told to it
        everything = house.get("/api/try")[2] + house.get("/api/status")[2] + house.get("/api/settings")[2]
        for secret in (HOME["password"], "secret word", KEY):
            assert secret.encode() not in everything
        status, answer = house.ask("/api/settings", {
            "wifi": {"ssid": "Home", "password": None}, "mqtt": {**mqtt, "password": None, "discovery": False},
            "meter": {"key": None}, "web": {"password": "a long password"}})
        assert (status, answer) == (200, {"restart_s": 2})
        eventually(lambda: house.firmware.starts == 2)
        with Listener(broker.port, ["wattport/#"], "ann", "secret word") as listener:
            listener.wait(house.firmware.topic("state"), lambda text: text == b"online")
            telegram, expected = meter.next()
            house.wire.unplug()
            house.wire.send(telegram)
            reading = json.loads(listener.wait(house.firmware.topic("reading")))
            assert reading["meter_id"] == expected["meter_id"]
        status = house.ask("/api/status")[1]
        assert not status["portal"] and not status["setup"] and status["password"] and status["wifi"]
        assert house.ask("/api/try/key", {"key": WRONG})[1]["error"] == "login_needed"

def test_a_portal_that_was_asked_for_ends_by_itself_when_nobody_comes_and_a_phone_that_only_probes_is_nobody(tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    (state / "rtc.bin").write_bytes(b"portal")  # what the button leaves there
    settings = {"wifi": {"ssid": "Home", "password": HOME["password"]}}
    with House(tmp_path, settings, WATTPORT_PORTAL_S="2") as house:
        house.firmware.wait_for_log("set-up: join the Wi-Fi")
        assert house.get("/", host="captive.apple.com")[0] == 302

        def over():
            try:
                house.get("/generate_204", host="connectivitycheck.gstatic.com")
            except OSError:  # it is restarting
                pass
            return house.firmware.logged("Wi-Fi connected")
        eventually(over)
        assert house.firmware.logged("nobody is here any more") and house.firmware.starts == 2
        assert house.get("/generate_204", host="connectivitycheck.gstatic.com")[0] == 421


def test_a_portal_that_was_asked_for_stays_while_somebody_uses_it(tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    (state / "rtc.bin").write_bytes(b"portal")
    settings = {"wifi": {"ssid": "Home", "password": HOME["password"]}, "web": {"password": "a long password"}}
    with House(tmp_path, settings, WATTPORT_PORTAL_S="5") as house:
        until = time.monotonic() + 8
        while time.monotonic() < until:
            assert house.ask("/api/status")[1]["setup"]
        assert house.firmware.starts == 1


def test_without_a_wifi_the_portal_stays_open(tmp_path):
    with House(tmp_path, WATTPORT_PORTAL_S="1") as house:
        time.sleep(3)
        assert house.firmware.starts == 1 and house.ask("/api/status")[1]["portal"]
