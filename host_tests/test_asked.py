# SPDX-License-Identifier: MIT
"""The simulated meters of optical heads: blocks, and the one that speaks only when it is asked."""

import os
import random
import select
import socket
import subprocess
import sys
from functools import reduce
from operator import xor

import pytest

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


def test_the_program_answers_on_a_serial_port():
    try:
        master, slave = os.openpty()
    except OSError:
        pytest.skip("this machine has no pseudo-terminals")
    name = os.ttyname(slave)
    process = subprocess.Popen(
        [sys.executable, "-m", "tools.meter", "--family", "iec-c", "--seed", "3", "--start", START, "serial:" + name],
        cwd=ROOT, stderr=subprocess.PIPE)
    with process:
        try:
            assert b"300 7E1" in process.stderr.readline()
            expected, = telegrams(1)
            got = b""
            for _ in range(40):  # until it has opened the port
                os.write(master, b"/?!\r\n")
                if select.select([master], [], [], 0.5)[0]:
                    break
            os.write(master, b"\x06050\r\n")
            while len(got) < len(expected) and select.select([master], [], [], 5)[0]:
                got += os.read(master, 4096)
            assert got.endswith(expected[expected.index(b"\n") + 1:])
        finally:
            process.kill()
            os.close(master)
            os.close(slave)
