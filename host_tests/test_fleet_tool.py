# SPDX-License-Identifier: MIT
"""`tools.fleet` as it is called: what it prints, how it ends, and how it goes on."""

import asyncio
import json
import signal
import socket
import struct
import subprocess
import sys
import threading

import pytest

from host_tests.brokers import PATIENCE, Amqtt, Authority, Mosquitto, _Loop, eventually, free_port
from host_tests.firmware import Firmware, Wire
from tools.fleet import __main__ as tool
from tools.fleet import mdns, simulated, web
from tools.fleet.simulated import Pace, fleet
from tools.paths import ROOT

PACE = {"health_s": 0.5, "receive_s": 0.2, "restart_s": 0.1, "trial_s": 0.2, "backoff_s": 0.3}


class House:
    """A broker and simulated dongles at it, in a thread of their own."""

    def __init__(self, folder, count, faults=(), **pace):
        self.mosquitto = Mosquitto(folder)
        self.dongles = fleet(("127.0.0.1", self.mosquitto.port), count, Pace(**{**PACE, **pace}), faults)
        self._loop = _Loop()
        self._running = self._loop.run(self._start())
        self.at = "--mqtt", "127.0.0.1:%d" % self.mosquitto.port, "--listen", "30s"
        eventually(lambda: all(dongle.connects for dongle in self.dongles), "the dongles")

    async def _start(self):
        return asyncio.ensure_future(simulated.run(self.dongles))

    async def _stop(self):
        self._running.cancel()
        await asyncio.wait((self._running,))

    @property
    def commands(self):
        return [len(dongle.commands) for dongle in self.dongles]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._loop.run(self._stop())
        self._loop.stop()
        self.mosquitto.kill()


class Run:
    """The tool as a process; `lines` grows."""

    def __init__(self, folder, *words):
        self.lines = []
        self.process = subprocess.Popen([sys.executable, "-m", "tools.fleet", *map(str, words)], cwd=ROOT, text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def wait_for(self, text):
        return eventually(lambda: [line for line in self.lines if text in line], "%r in %s" % (text, self.lines))[0]

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)
        return self.end()

    def end(self):
        code = self.process.wait(3 * PATIENCE)
        self._reader.join()
        return code

    def told(self, text):
        return [line for line in self.lines if text in line]


def bundle(path, chip="xtensawin", version="0.2.0"):
    line = json.dumps({"name": "wattport", "kind": "application", "version": version, "chip": chip,
                       "files": [["program", 9, "0" * 64]], "payload": [9, "0" * 64]}).encode()
    path.write_bytes(b"WATTPORT BUNDLE 1\n" + line + b"\nc2ln\n" + bytes(20000))
    return path


def test_a_stage_that_is_interrupted_goes_on_and_a_second_one_finds_nothing_to_do(tmp_path):
    state, files = tmp_path / "state.json", [bundle(tmp_path / "x.bundle"), bundle(tmp_path / "c3.bundle", "rv32imc")]
    what = "--bundle", files[0], "--bundle", files[1], "--serve", "127.0.0.1:0"
    how = "--first", 2, "--batch", 3, "--wait", "90s"
    with House(tmp_path, 9) as house:
        house.dongles[4].chip = "rv32imc"
        dry = Run(tmp_path, "stage", *house.at, *what, *how, "--dry-run", "--state", state)
        assert dry.end() == 0 and dry.told("9 to update") and len(dry.told("0.1.0, ")) == 9, dry.lines
        assert not sum(house.commands) and not state.exists()

        run = Run(tmp_path, "stage", *house.at, *what, *how, "--state", state)
        run.wait_for("batch 1: 3 of 9")
        assert run.interrupt() == 130, run.lines
        assert run.told("4 untouched") and run.told("to go on: --resume %s" % state), run.lines
        assert sum(house.commands) == 5

        run = Run(tmp_path, "stage", *house.at, "--resume", state, "--serve", "127.0.0.1:0")
        assert run.end() == 0, run.lines
        assert run.lines[-1] == "9 updated" and not run.told("canaries"), run.lines
        assert {dongle.version for dongle in house.dongles} == {"0.2.0"}
        assert [command.rpartition("/")[2] for command in house.dongles[4].commands] == ["c3.bundle"]
        assert max(house.commands) <= 2  # one may have lost its download with the server that was interrupted

        before = house.commands
        again = Run(tmp_path, "stage", *house.at, "--resume", state, "--serve", "127.0.0.1:0")
        anew = Run(tmp_path, "stage", *house.at, *what)
        assert again.end() == 0 and again.told("9 updated"), again.lines
        assert anew.end() == 0 and anew.told("9 left out, already"), anew.lines
        assert house.commands == before


def test_a_stage_that_stops_at_its_limit_ends_with_1_and_can_be_tried_again(tmp_path, capsys):
    state = tmp_path / "state.json"
    place = "--url", "http://bundles.invalid/0.2.0-{chip}", "--version", "0.2.0", "--match", "version=0.1.*"

    def stage(house, *words):
        return tool.main(["stage", *map(str, [*house.at, *words])]), "".join(capsys.readouterr())
    with House(tmp_path, 6, ["refuses"] * 6, fetch=False) as house:
        code, said = stage(house, *place, "--first", 2, "--state", state)
        assert code == 1 and "2 refused, 4 untouched" in said and "stopped: " in said, said
        assert said.count(": refused, signature") == 2 and sum(house.commands) == 2
        code, said = stage(house, "--resume", state)
        assert code == 1 and sum(house.commands) == 2, said
        code, said = stage(house, *place, "--state", state)
        assert code == 2 and "go on with --resume" in said and sum(house.commands) == 2
        for dongle in house.dongles:
            dongle.fault = ""
        house.dongles[3].fault = "refuses"
        code, said = stage(house, "--resume", state, "--retry", "--max-failures", 1, "--batch", 6)
        assert code == 3 and "5 updated, 1 refused" in said, said


def test_watch_tells_what_changes_and_ends_with_ctrl_c(tmp_path):
    with House(tmp_path, 2, ["vanishes"], fetch=False) as house:
        run = Run(tmp_path, "watch", *house.at)
        run.wait_for("sim00000: online true")
        place = "--url", "http://bundles.invalid/0.2.0-{chip}", "--version", "0.2.0"
        other = Run(tmp_path, "stage", *house.at, *place, "--match", "id=sim00000", "--state", tmp_path / "state.json")
        run.wait_for("sim00000: online false")
        assert run.told("in progress true") and not run.told("Traceback")
        assert run.interrupt() == 0
        assert other.interrupt() == 130 and other.told("1 under way") and other.told("sim00000: under way for")


def test_the_firmware_is_found_among_simulated_dongles_by_broker_and_by_host(tmp_path):
    port = free_port()
    with House(tmp_path, 3) as house, Wire() as wire:
        settings = {"mqtt": {"host": "127.0.0.1", "port": house.mosquitto.port}, "web": {"port": port},
                    "time": {"server": ""}}
        with Firmware(tmp_path, wire.uart, settings) as firmware:
            firmware.wait_for_log("mqtt: connected")
            firmware.wait_for_log("dashboard on port")
            run = Run(tmp_path, "list", *house.at[:2], "--listen", 2, "--host", "127.0.0.1:%d" % port, "--host",
                      "127.0.0.1:%d" % free_port(), "--json")
            assert run.end() == 0, run.lines
            found = {one["id"]: one for one in map(json.loads, run.lines)}
            own = found.pop(firmware.identity)
            assert set(found) == {"sim00000", "sim00001", "sim00002"}
            assert own["online"] and own["version"] and own["meter"] == "silent" and own["heap_free"] > 10000
            assert not own["odd"], own
            run = Run(tmp_path, "list", *house.at[:2], "--listen", 3)
            assert run.end() == 0 and run.told(firmware.identity) and run.told("4 dongles, 4 online"), run.lines


def test_a_broker_with_tls_and_a_login_is_spoken_to_and_each_refusal_is_told(tmp_path, capsys):
    authority = Authority()
    (tmp_path / "ca.pem").write_text(authority.pem)
    (tmp_path / "other.pem").write_text(Authority("another").pem)
    (tmp_path / "password").write_text("secret\n")
    (tmp_path / "wrong").write_text("guess\n")
    with Mosquitto(tmp_path, {"fleet": "secret"}, authority.server(tmp_path, "127.0.0.1")) as mosquitto:
        def ask(password, ca):
            code = tool.main(["list", "--mqtt", "127.0.0.1:%d" % mosquitto.port, "--user", "fleet", "--listen", "1s",
                              "--password-file", str(tmp_path / password), "--ca", str(tmp_path / ca)])
            return code, "".join(capsys.readouterr())
        code, said = ask("password", "ca.pem")
        assert code == 1 and "0 dongles" in said, said
        code, said = ask("wrong", "ca.pem")
        assert code == 2 and ("user name or password" in said or "not authorised" in said), said
        code, said = ask("password", "other.pem")
        assert code == 2 and "certificate" in said.lower(), said
        assert tool.main(["list", "--mqtt", "127.0.0.1:%d" % mosquitto.port, "--listen", "1s"]) == 2  # no TLS at all


def test_the_embedded_broker_does_as_well(tmp_path):
    with Amqtt() as broker:
        loop = _Loop()
        dongles = fleet(("127.0.0.1", broker.port), 3, Pace(**PACE))

        async def start():
            return asyncio.ensure_future(simulated.run(dongles))

        async def stop(running):
            running.cancel()
            await asyncio.wait((running,))
        running = loop.run(start())
        run = Run(tmp_path, "list", "--mqtt", "127.0.0.1:%d" % broker.port, "--listen", "30s")
        assert run.end() == 0 and run.told("online"), run.lines
        loop.run(stop(running))
        loop.stop()


@pytest.mark.parametrize("words, why", [
    ("list", "where are they"), ("stage --mqtt a", "--url or --bundle"),
    ("stage --mqtt a --host b --url c", "not both"),
    ("stage --host a --url http://b", "--bundle is pushed"), ("stage --host a --bundle b", "--token-file"),
    ("stage --mqtt a --url b --bundle c", "one of them"), ("stage --mqtt a --resume b --url c", "as it was begun"),
    ("stage --mqtt a --url b --retry", "--retry needs"), ("stage --mqtt a --url b --first 0.5", "neither a number"),
    ("stage --mqtt a --url b --wait soon", "is no time"), ("list --mqtt a:b", "no HOST:PORT"),
    ("list --mqtt a --base #", "--base takes"), ("list --mqtt a --match colour=red", "--match takes"),
    ("list --mqtt a --ca /nowhere", "--ca: "), ("list --mqtt a --password-file /nowhere", "No such file"),
    ("stage --mqtt a --bundle b --serve x", "--serve takes")])
def test_usage_is_told_in_words_with_exit_code_2(words, why, capsys):
    with pytest.raises(SystemExit) as end:
        tool.main(words.split())
    assert end.value.code == 2 and why in capsys.readouterr().err


def test_what_cannot_be_begun_ends_with_2(tmp_path, capsys):
    nobody = "127.0.0.1:%d" % free_port()
    file = bundle(tmp_path / "a")
    for words, why in ((["list", "--mqtt", nobody], "broker 127.0.0.1"),
                       (["stage", "--host", nobody, "--bundle", file, "--dry-run"], "no dongle is there"),
                       (["list", "--host", "10.0.0.0/8"], "more than 1024 addresses"),
                       (["stage", "--host", nobody, "--resume", tmp_path / "b", "--dry-run"], "No such file")):
        assert tool.main(list(map(str, words))) == 2
        assert why in capsys.readouterr().err
    assert tool.main(["list", "--host", nobody]) == 1


# ---- names in .local

class Responder:
    """Answers a question as several dongles of the same name do, and as others who talk nonsense."""

    def __init__(self, answers):
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.group = self._socket.getsockname()
        self._answers = answers
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                question, asker = self._socket.recvfrom(9000)
            except OSError:
                return
            for answer in self._answers:
                self._socket.sendto(answer(question), asker)

    def close(self):
        self._socket.close()


def answer(address, name=None):
    """RFC 6762, 18.12: the class with the flush bit, as MicroPython's lwIP sends it."""
    def make(question):
        own = question[12:-4] if name is None else name
        return (question[:2] + struct.pack(">HHHHH", 0x8400, 0, 1, 0, 0) + own
                + struct.pack(">HHIH", 1, 0x8001, 120, 4) + socket.inet_aton(address))
    return make


def test_all_the_dongles_that_answer_for_a_name_are_found():
    responder = Responder([
        answer("192.168.1.9"), answer("192.168.1.7"), answer("192.168.1.66", b"\5other\5local\0"),
        lambda question: b"", lambda question: question, lambda question: question[:12] + b"\xff" * 40,
        lambda question: answer("192.168.1.8")(question)[:-2]])
    assert mdns.resolve("wattport.local", 0.6, responder.group) == ["192.168.1.7", "192.168.1.9"]
    responder.close()


def test_a_name_that_nobody_answers_for_is_nowhere():
    assert mdns.resolve("wattport.local", 0.1, ("127.0.0.1", free_port())) == []


def test_hosts_are_names_addresses_and_networks():
    assert web.expand(["10.1.2.3", "10.1.2.3:80", "h:8080"]) == [("10.1.2.3", 80), ("h", 8080)]
    assert web.expand(["192.168.1.0/30"]) == [("192.168.1.1", 80), ("192.168.1.2", 80)]
    for bad in ("1.2.3.4/99", "x/24", "a:b"):
        with pytest.raises(ValueError):
            web.expand([bad])
