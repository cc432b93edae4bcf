# SPDX-License-Identifier: MIT
"""The simulated meters of optical heads: blocks, and the one that speaks only when it is asked."""

import random
import socket
import subprocess
import sys
from functools import reduce
from operator import xor

import pytest
import serial

from tools import meter as program
from tools import meters
from tools.meters.iec import Session
from tools.paths import ROOT

START = "2026-01-15T18:00"


def telegrams(count):
    meter = meters.make("iec-c", seed=3, start=1768496400)
    return [meter.next()[0] for _ in range(count)]


def test_a_block_ends_with_its_check_and_a_spoilt_one_with_another():
    meter = meters.make("iec-c", seed=3)
    telegram, _ = meter.next()
    head, block = meter.family.parts(telegram)
    assert head == b"/LGZ5\\2ZMF100AC.M27\r\n" and block[:1] == b"\x02" and block[-5:-1] == b"!\r\n\x03"
    assert reduce(xor, block[1:-1]) == block[-1] < 0x80
    for seed in range(20):
        spoilt = meter.family.spoil(telegram, random.Random(seed))
        assert spoilt[:-1] == telegram[:-1] and spoilt[-1] != telegram[-1]


def test_a_session_answers_requests_and_acknowledgements_and_nothing_else():
    first, second, third = telegrams(3)
    sent = iter((first, second, third))
    session = Session(meters.FAMILIES["iec-c"], lambda: next(sent))
    assert session.hear(b"hello\r\n\x06050\r\n") == []
    cut = first.index(b"\n") + 1
    assert session.hear(b"/?") == [] and session.hear(b"!\r\n") == [(first[:cut], 300)]
    assert session.hear(b"\x0605") == [] and session.hear(b"0\r\n") == [(first[cut:], 9600)]
    assert session.hear(b"\x06050\r\n") == [] and session.late() == []
    # the address of one meter among several, and another baud than was offered
    assert session.hear(b"/?00012345!\r\n\x06020\r\n") == [(second[:cut], 300), (second[cut:], 1200)]
    # who acknowledges nothing gets the block at 300 baud
    assert session.hear(b"/?!\r\n") == [(third[:cut], 300)] and session.late() == [(third[cut:], 300)]


@pytest.mark.parametrize("acknowledged", [True, False])
def test_the_program_answers_over_the_network(acknowledged):
    process = subprocess.Popen(
        [sys.executable, "-m", "tools.meter", "--family", "iec-c", "--seed", "3", "--start", START, "tcp:0"], cwd=ROOT,
        stderr=subprocess.PIPE)
    with process:
        try:
            while b"listening" not in (line := process.stderr.readline()):
                assert line
            expected, = telegrams(1)
            with socket.create_connection(("127.0.0.1", int(line.rsplit(b":", 1)[1])), timeout=20) as reader:
                reader.settimeout(0.5)
                with pytest.raises(TimeoutError):
                    reader.recv(1)
                reader.settimeout(20)
                got = reader.makefile("rb")
                reader.sendall(b"/?!\r\n")
                assert got.readline() == expected[:expected.index(b"\n") + 1]
                if acknowledged:
                    reader.sendall(b"\x06050\r\n")
                assert got.read(len(expected) - expected.index(b"\n") - 1) == expected[expected.index(b"\n") + 1:]
        finally:
            process.kill()


class Port:
    """A serial port with a reader at the other end, who speaks and then pulls the plug."""

    def __init__(self, words):
        self.words = list(words)
        self.baudrate = 300
        self.written = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def read(self, size):
        if not self.words:
            raise OSError("unplugged")
        return self.words.pop(0)

    def write(self, data):
        self.written.append((data, self.baudrate))

    def flush(self):
        pass


def test_the_program_changes_the_baud_of_a_serial_port_for_the_block_alone(monkeypatch):
    words = [bytes([byte]) for byte in b"/?!\r\n\x06050\r\n/?!\r\n"] + [b""]
    port, opened = Port(words), []
    monkeypatch.setattr(serial, "serial_for_url", lambda url, **line: opened.append(line) or port)
    with pytest.raises(SystemExit):
        program.main(["--family", "iec-c", "--seed", "3", "--start", START, "serial:/dev/none"])
    assert [(line["baudrate"], line["bytesize"], line["parity"]) for line in opened] == [(300, 7, "E")]
    first, second = telegrams(2)
    cut = first.index(b"\n") + 1
    assert port.written == [(first[:cut], 300), (first[cut:], 9600), (second[:cut], 300), (second[cut:], 300)]
    assert port.baudrate == 300
