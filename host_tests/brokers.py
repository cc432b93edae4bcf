# SPDX-License-Identifier: MIT
"""Brokers good and bad, a listener of another make, and the firmware's publisher as a process: for the MQTT tests."""

import asyncio
import base64
import datetime
import hashlib
import ipaddress
import json
import logging
import os
import signal
import socket
import subprocess
import threading
import time

from amqtt.broker import Broker
from amqtt.client import MQTTClient
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tools.compile import micropython
from tools.paths import PROGRAMS
from tools.run import free_port

PATIENCE = 30  # seconds; what takes longer is broken, not slow

logging.getLogger("amqtt").setLevel(logging.CRITICAL)
logging.getLogger("transitions").setLevel(logging.CRITICAL)


def eventually(predicate, what="it", patience=PATIENCE):
    """The first true value of predicate(), or a failure."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        found = predicate()
        if found:
            return found
        time.sleep(0.02)
    found = predicate()
    assert found, "%s did not come about in %d s" % (what, patience)
    return found


def wait_for_port(port):
    def answers():
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return True
        except OSError:
            return False
    eventually(answers, "a listener on port %d" % port)


class Mosquitto:
    """The real one, as a process that can be killed and started again on the same port."""

    def __init__(self, folder, users=None, certificate=None, persistent=False):
        self.port = free_port()
        lines = ["listener %d 127.0.0.1" % self.port, "user root", "log_type none"]
        if users:
            passwords = folder / "passwords"
            passwords.write_text("".join(
                "%s:%s\n" % (name, self._hash(password)) for name, password in users.items()))
            passwords.chmod(0o600)
            lines += ["password_file %s" % passwords, "allow_anonymous false"]
        else:
            lines.append("allow_anonymous true")
        if certificate:
            lines += ["certfile %s" % certificate[0], "keyfile %s" % certificate[1]]
        if persistent:
            lines += ["persistence true", "persistence_location %s/" % folder, "autosave_interval 1",
                      "autosave_on_changes true"]
        self._config = folder / ("mosquitto%d.conf" % self.port)
        self._config.write_text("\n".join(lines) + "\n")
        self.start()

    @staticmethod
    def _hash(password):
        salt, rounds = os.urandom(12), 101
        digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, rounds)
        return "$7$%d$%s$%s" % (rounds, base64.b64encode(salt).decode(), base64.b64encode(digest).decode())

    def start(self):
        self.process = subprocess.Popen([str(PROGRAMS / "mosquitto"), "-c", str(self._config)],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for_port(self.port)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()


class _Loop:
    """An event loop in a thread of its own."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work, patience=PATIENCE):
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(patience)

    def stop(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(PATIENCE)


class Amqtt:
    """The broker that `make run` embeds."""

    def __init__(self):
        self.port = free_port()
        self._loop = _Loop()

        async def start():
            broker = Broker({
                "listeners": {"default": {"type": "tcp", "bind": "127.0.0.1:%d" % self.port}},
                "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
            })
            await broker.start()
            return broker
        self._broker = self._loop.run(start())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._loop.run(self._broker.shutdown())
        self._loop.stop()


class Listener:
    """amqtt's client: keeps what arrives as (time, topic, payload, QoS, retained), and can publish."""

    def __init__(self, port, topics=("#",), user="", password=""):
        self.messages = []
        self._loop = _Loop()
        login = "%s:%s@" % (user, password) if user else ""
        self._client = MQTTClient(config={"auto_reconnect": False})
        self._loop.run(self._client.connect("mqtt://%s127.0.0.1:%d/" % (login, port)))
        self._loop.run(self._client.subscribe([(topic, 1) for topic in topics]))
        self._task = asyncio.run_coroutine_threadsafe(self._collect(), self._loop.loop)

    async def _collect(self):
        while True:
            message = await self._client.deliver_message()
            if message is None:
                return
            packet = message.publish_packet
            self.messages.append((time.monotonic(), message.topic, bytes(message.data), message.qos,
                                  packet.retain_flag))

    def publish(self, topic, payload, qos=0, retain=False):
        self._loop.run(self._client.publish(topic, payload, qos, retain))

    def payloads(self, topic):
        return [message[2] for message in self.messages if message[1] == topic]

    def wait(self, topic, accept=lambda payload: True, patience=PATIENCE):
        """The first payload on a topic that is accepted."""
        return eventually(
            lambda: next(([payload] for payload in self.payloads(topic) if accept(payload)), None),
            "a message on " + topic, patience)[0]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._task.cancel()
        try:
            self._loop.run(self._client.disconnect(), 5)
        except Exception:  # the broker may be gone already
            pass
        self._loop.stop()


class BadBroker:
    """Accepts connections and lets `behave(socket)` do something with each, in a thread."""

    def __init__(self, behave):
        self._behave = behave
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self.connections = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection = self._server.accept()[0]
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            self._behave(connection)
        except (OSError, EOFError):
            pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._server.close()
        for connection in self.connections:
            connection.close()


def read_packet(connection):
    """(first byte, body) of one MQTT packet."""
    def exactly(count):
        data = b""
        while len(data) < count:
            more = connection.recv(count - len(data))
            if not more:
                raise EOFError
            data += more
        return data
    first, length, shift = exactly(1)[0], 0, 0
    while True:
        byte = exactly(1)[0]
        length |= (byte & 127) << shift
        shift += 7
        if not byte & 128:
            return first, exactly(length)


def polite(connection, leave_out=(), seen=None):
    """A broker's side of a session, but for the packet types (upper half of the first byte) left out."""
    while True:
        first, body = read_packet(connection)
        if seen is not None:
            seen.append((first, body))
        kind = first & 0xF0
        if kind in leave_out:
            continue
        if kind == 0x10:
            connection.sendall(b"\x20\x02\x00\x00")
        elif kind == 0x30 and first & 0x06:
            size = body[0] << 8 | body[1]
            connection.sendall(b"\x40\x02" + body[2 + size : 4 + size])
        elif kind == 0x80:
            connection.sendall(b"\x90\x03" + body[:2] + b"\x00")
        elif kind == 0xC0:
            connection.sendall(b"\xd0\x00")


class Authority:
    """A certification authority for one test; PEM text in `pem`."""

    def __init__(self, name="Wattport test CA"):
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._certificate = self._sign(self._name, self._key, x509.BasicConstraints(ca=True, path_length=None), [])
        self.pem = self._certificate.public_bytes(serialization.Encoding.PEM).decode()

    def _sign(self, name, key, constraints, names):
        now = datetime.datetime.now(datetime.UTC)
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(self._name).public_key(
            key.public_key()).serial_number(x509.random_serial_number()).not_valid_before(
            now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=30)).add_extension(
            constraints, critical=True)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self._key, hashes.SHA256())

    def server(self, folder, name):
        """(certificate file, key file) for a server of that host name or address."""
        key = ec.generate_private_key(ec.SECP256R1())
        try:
            alternative = x509.IPAddress(ipaddress.ip_address(name))
        except ValueError:
            alternative = x509.DNSName(name)
        certificate = self._sign(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), key,
                                 x509.BasicConstraints(ca=False, path_length=None), [alternative])
        files = folder / "server.pem", folder / "server.key"
        files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        files[1].write_bytes(key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        return files


SETTINGS = {
    "host": "127.0.0.1", "port": 1883, "user": "", "password": "", "tls": False, "ca": "", "base": "",
    "client_id": "", "interval_s": 0, "qos": 0, "keepalive_s": 60, "raw": False, "discovery": False,
    "discovery_prefix": "homeassistant", "retain": False,
}

IDLE = "async def scenario():\n    pass\n"

_SCRIPT = """
import asyncio, json, time
from wattport.publish import mqtt, publisher as module

mqtt.TIMEOUT_MS, module.CONNECT_MS = %(timeouts)r

def say(**what):
    print(json.dumps(what))

publisher = module.Publisher(json.loads(%(settings)r), "dongle-1", "1.2.3",
                      lambda level, text: say(level=level, text=text))

async def watch():
    last = None
    while True:
        status = json.dumps(publisher.status)
        if status != last:
            print('{"status": %%s}' %% status)
            last = status
        await asyncio.sleep_ms(20)

%(scenario)s

async def main():
    global running
    running = asyncio.create_task(publisher.run())
    watching = asyncio.create_task(watch())
    await scenario()
    say(done=True)
    while True:
        await asyncio.sleep(1)

asyncio.run(main())
"""


class Dongle:
    """The publisher under MicroPython; `scenario` is the source of an `async def scenario()` that uses `publisher`."""

    def __init__(self, folder, scenario=IDLE, runtime="micropython", heap=None, timeouts=(10000, 15000),
                 **settings):
        script = folder / "dongle.py"
        script.write_text(_SCRIPT % {"settings": json.dumps(dict(SETTINGS, **settings)), "scenario": scenario,
                                     "timeouts": timeouts})
        command, environment = micropython(runtime, heap=heap)
        self._errors = open(folder / "dongle.err", "w+b")  # a pipe would have to be read
        self.process = subprocess.Popen(command + [str(script)], env=environment, stdout=subprocess.PIPE,
                                        stderr=self._errors)
        self.lines = []
        self.rest = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            try:
                self.lines.append(json.loads(line))
            except ValueError:
                self.rest.append(line.decode(errors="replace"))

    @property
    def statuses(self):
        return [line["status"] for line in self.lines if "status" in line]

    def errors(self):
        return [status["error"] for status in self.statuses if status["error"]]

    def wait(self, accept, what="a line of the dongle"):
        """The first line that is accepted."""
        def found():
            assert self.process.poll() is None or self.process.returncode == -signal.SIGKILL, self.trouble()
            return next(([line] for line in list(self.lines) if accept(line)), None)
        try:
            return eventually(found, what)[0]
        except AssertionError:
            raise AssertionError("%s\n%s\n%s" % (what, self.lines[-20:], self.trouble()))

    def wait_status(self, **wanted):
        return self.wait(lambda line: "status" in line and all(
            line["status"][name] == value for name, value in wanted.items()), "status %s" % wanted)["status"]

    def wait_error(self, *parts):
        """The first status whose error holds one of the parts."""
        return self.wait(lambda line: "status" in line and any(part in line["status"]["error"] for part in parts),
                         "error %s" % (parts,))["status"]["error"]

    def trouble(self):
        self._errors.seek(0)
        return "".join(self.rest) + self._errors.read().decode(errors="replace")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
        trouble = self.trouble()
        self._errors.close()
        assert not trouble, trouble
