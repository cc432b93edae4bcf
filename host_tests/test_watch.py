# SPDX-License-Identifier: MIT
"""The first start as it is seen on the serial line, and the monitor: what boards say, as recorded or as MicroPython and
ESP-IDF write it, over TCP and over RFC 2217."""

import contextlib
import json
import re
import socket
import subprocess
import sys
import threading

import pytest
import serial
from serial.rfc2217 import PortManager

from host_tests.brokers import eventually, free_port
from tools import console, monitor, watch
from tools.compile import slot_tree
from tools.paths import ROOT
from tools.trace import Names

ROM = """ets Jul 29 2019 12:21:46

rst:0x1 (POWERON_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)
configsip: 0, SPIWP:0xee
clk_drv:0x00,q_drv:0x00,d_drv:0x00,cs0_drv:0x00,hd_drv:0x00,wp_drv:0x00
mode:DIO, clock div:2
load:0x3fff0030,len:4892
entry 0x400805e4
"""
RUNS = ROM + """       0 info    Wattport 0.2.0, device 240ac4124d3a, meter line 115200 8N1 inverted, to be found out
       0 info    web: dashboard on port 80
"""
PANIC = """Guru Meditation Error: Core  1 panic'ed (LoadProhibited). Exception was unhandled.

Core  1 register dump:
PC      : 0x400d9a4c  PS      : 0x00060830  A0      : 0x800da1b0  A1      : 0x3ffcf230
Backtrace: 0x400d9a49:0x3ffcf230 0x400da1ad:0x3ffcf250
Rebooting...
"""
BANNER = """MicroPython v1.29.0 on 2026-08-24; Generic ESP32 module with OTA with ESP32
Type "help()" for more information.
>>> """

# what is seen → (whether the application runs, what is said)
SEEN = {
    "its own Wi-Fi": (RUNS + "       2 info    set-up: join the Wi-Fi Wattport-4d3a, then open http://192.168.71.1\n",
                      True, "Wattport 0.2.0 runs; its own Wi-Fi is Wattport-4d3a, the page http://192.168.71.1."),
    "the household's Wi-Fi": (RUNS + "       3 info    Wi-Fi connected, address 192.168.1.57\n",
                              True, "Wattport 0.2.0 runs; it is in the Wi-Fi: http://192.168.1.57."),
    "a wrong password": (RUNS + "      19 warning no connection to Wi-Fi home: the password is wrong\n", True,
                         "it is in no Wi-Fi yet: no connection to Wi-Fi home: the password is wrong."),
    "only what came late": ("       9 info    reading dsmr5 telegrams from ISK5\n", True,
                            r"\(its version was not seen\)"),
    "nothing": ("", False, "not a sign of life.*press the board's reset"),
    "the ROM alone": (ROM, False, "the chip talks, but neither"),
    "an empty flash": (ROM + "invalid header: 0xffffffff\n" * 5, False, "no MicroPython where the chip looks"),
    "an empty flash, newer chips": ("ESP-ROM:esp32c3-api1-20210207\nBuild:Feb  7 2021\nrst:0x7 (TG0WDT_SYS_RST)\n"
                                    "invalid header: 0xffffffff\n", False, "no MicroPython where the chip looks"),
    "no application partition": (ROM + "E (57) boot: No bootable app partitions in the partition table\n", False,
                                 "no MicroPython where"),
    "a damaged MicroPython": (ROM + "E (412) esp_image: Image hash failed - image is corrupt\n", False,
                              "MicroPython in the flash is damaged"),
    "download mode": ("rst:0x1 (POWERON_RESET),boot:0x3 (DOWNLOAD_BOOT(UART0/UART1/SDIO_REI_REO_V2))\n"
                      "waiting for download\n", False, "let go of BOOT"),
    "a boot loop": ((ROM + PANIC) * 5, False, r"again and again: MicroPython crashes \(Core  1 panic'ed .LoadProh"),
    "a boot loop of weak current": ((ROM + "\nBrownout detector was triggered\n\n") * 5, False,
                                    "again and again: the supply voltage breaks down"),
    "a boot loop without a word": (ROM * 5, False, "again and again: it does not say why"),
    "a loop behind the first lines": (RUNS * 5, False, "again and again"),
    "one crash on the way": (RUNS + PANIC + RUNS + "       2 info    Wi-Fi connected, address 10.0.0.9\n", True,
                             "http://10.0.0.9"),
    "MicroPython alone": (ROM + BANNER, False, "MicroPython runs, but the application does not"),
    "an exception": (ROM + 'Traceback (most recent call last):\n  File "main.py", line 41, in <module>\n'
                     "ImportError: no module named 'wattport'\n" + BANNER, False,
                     "ends with an error: ImportError: no module named 'wattport'"),
    "safe mode": (ROM + "safe mode: neither slot can be started: {'slot': 'a'}\n", False, "is in safe mode: neither"),
    "another speed": ("\ufffd\ufffd\x02x\ufffd\n" * 20, False, "no text: is the speed of the line 115200"),
    "another firmware": (ROM + "Tasmota 15.0.1\n", False, "neither MicroPython nor the application"),
}


@pytest.mark.parametrize("text, runs, sentence", SEEN.values(), ids=SEEN)
def test_what_is_seen_is_put_in_plain_words(text, runs, sentence):
    seen = watch.Watch(Names({}))
    for line in text.split("\n"):
        seen.take(line)
    assert (seen.verdict()[0], bool(re.search(sentence, seen.verdict()[1]))) == (runs, True), seen.verdict()
    if runs and "in no Wi-Fi" not in sentence and "not seen" not in sentence:
        assert seen.done


def test_the_password_that_the_device_made_is_kept():
    seen = watch.Watch(Names({}))
    seen.take("the Wi-Fi of the set-up has the password k3tu8mpd9xwa")
    assert seen.password == "k3tu8mpd9xwa" and not seen.runs


def test_no_bytes_whatever_upset_the_watch():
    seen = watch.Watch(Names({}))
    for number in range(3000):
        seen.take(bytes((number * 7 + at * number) % 256 for at in range(number % 90)).decode("latin1"))
    assert isinstance(seen.verdict()[1], str)


class Line:
    """A board's console on a TCP port. To each connection it says the next of `texts` and hangs up; with the last it
    stays, and says it again every now and then, as pyserial throws away what comes while it opens."""

    def __init__(self, *texts):
        self.texts = list(texts)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = "socket://127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                client = self.listener.accept()[0]
                with client, contextlib.suppress(ConnectionError):
                    self.say(client)

    def say(self, client):
        client.settimeout(1.5)
        last = len(self.texts) == 1
        text = self.texts[0] if last else self.texts.pop(0)
        while True:
            client.sendall(text.replace("\n", "\r\n").encode("latin1"))
            with contextlib.suppress(TimeoutError):
                if not last or not client.recv(1):
                    return

    def __enter__(self):
        return self

    def __exit__(self, *rest):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def test_a_start_is_watched_over_tcp_and_what_comes_is_shown():
    shown = []
    with Line(RUNS.removeprefix(ROM) + "       2 info    Wi-Fi connected, address 192.168.1.57\n") as line:
        runs, sentence, seen = watch.watch(line.port, 30, shown.append, Names({}))
    assert runs and seen.identity == "240ac4124d3a" and "192.168.1.57" in sentence
    assert any("Wattport 0.2.0, device" in text for text in shown)


def test_a_prompt_without_an_end_of_line_is_seen():
    with Line(BANNER) as line:
        runs, sentence, _ = watch.watch(line.port, 30, lambda text: None, Names({}))
    assert not runs and "MicroPython runs" in sentence


def test_a_port_that_goes_away_while_the_chip_restarts_is_waited_for():
    with Line("ESP-ROM:esp32s3-20210327\n", RUNS.removeprefix(ROM) + "  2 info  Wi-Fi connected, address 10.0.0.2\n"
              ) as line:
        runs, sentence, _ = watch.watch(line.port, 30, lambda text: None, Names({}))
    assert runs and "10.0.0.2" in sentence


def test_the_watch_ends_by_its_time_limit():
    with Line("") as line:
        runs, sentence, _ = watch.watch(line.port, 1, lambda text: None, Names({}))
    assert not runs and "not a sign of life" in sentence
    runs, sentence, _ = watch.watch("socket://127.0.0.1:%d" % free_port(), 1, lambda text: None, Names({}))
    assert not runs and sentence.startswith("the port could not be opened")


# ---- a port with control lines, over the network


class Wires:
    """What PortManager (the far end of RFC 2217) takes for a serial port; remembers what the lines were pulled to."""

    port, timeout, baudrate, bytesize, parity, stopbits = "wires", 1, 115200, 8, "N", 1
    rtscts = xonxoff = dsrdtr = False
    cts = dsr = ri = cd = True
    break_condition = False
    out_waiting = in_waiting = 0

    def __init__(self):
        self.pulls = []

    def __setattr__(self, name, value):
        if name in ("rts", "dtr"):
            self.pulls.append((name, value))
        object.__setattr__(self, name, value)

    def reset_input_buffer(self):
        pass

    reset_output_buffer = reset_input_buffer


class Far:
    """A server of RFC 2217 whose board says something once its reset has been pulled."""

    def __init__(self, text):
        self.text, self.wires = text, Wires()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = "rfc2217://127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def write(self, data):
        self.client.sendall(data)

    def run(self):
        with contextlib.suppress(OSError):
            self.client = self.listener.accept()[0]
            manager = PortManager(self.wires, self)
            said = False
            while data := self.client.recv(1024):
                b"".join(manager.filter(data))
                pulls = [value for name, value in self.wires.pulls if name == "rts"]
                if not said and pulls[-1:] == [False] and True in pulls:
                    said = True
                    self.client.sendall(b"".join(manager.escape(self.text.encode())))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of pyserial
def test_a_board_that_says_nothing_is_restarted_once_where_the_port_has_the_lines_for_it(monkeypatch):
    monkeypatch.setattr(watch, "_SILENT_S", 0.5)
    far = Far(RUNS + "       2 info    Wi-Fi connected, address 10.0.0.7\n")
    runs, sentence, _ = watch.watch(far.port, 60, lambda text: None, Names({}))
    assert runs and "10.0.0.7" in sentence
    assert ("dtr", True) not in far.wires.pulls  # GPIO 0: it must not come up in download mode
    assert [value for name, value in far.wires.pulls if name == "rts"].count(True) == 1
    far.listener.close()


# ---- the monitor


def test_the_monitor_stamps_each_line_and_tells_functions_by_their_names_in_the_sources():
    trace = json.loads((slot_tree("xtensawin") / "names.json").read_text())
    module = "app"
    short, (long, *_) = next((new, old) for new, old in sorted(trace[module].items()) if new != old[0])
    shown = []

    class Enough(Exception):
        pass

    def tell(text):
        shown.append(text)
        if len(shown) >= 6:
            raise Enough

    text = 'Traceback (most recent call last):\n  File "app", line 1, in %s\nOSError: -202\n' % short
    with Line(text) as line, pytest.raises(Enough):
        monitor.monitor(line.port, tell, now=lambda: 0.25)
    assert all(re.match(r"\d\d:\d\d:\d\d\.250  ", text) for text in shown)
    assert any(text.endswith("in %s = %s" % (short, long)) or " = %s" % long in text for text in shown)


def test_the_monitor_says_that_a_port_is_gone_and_back_and_goes_on():
    shown = []
    with Line("one\n", "two\n") as line:
        process = subprocess.Popen([sys.executable, "-m", "tools.monitor", "--port", line.port], cwd=ROOT, text=True,
                                   stdout=subprocess.PIPE)
        reader = threading.Thread(target=lambda: shown.extend(iter(process.stdout.readline, "")), daemon=True)
        reader.start()
        eventually(lambda: any("it is back" in text for text in shown), "the port again", 30)
        eventually(lambda: any(text.rstrip().endswith("two") for text in shown), "what comes then", 30)
        process.send_signal(2)
        assert process.wait(20) == 0
    assert any("the port is gone" in text for text in shown)


def test_the_monitor_names_what_keeps_it_from_a_port(tmp_path, capsys):
    assert monitor.main([]) == 2
    assert "which port?" in capsys.readouterr().err
    assert monitor.main(["--port", str(tmp_path / "none")]) == 2
    assert "there is no such port" in capsys.readouterr().err


def test_a_line_without_an_end_is_cut():
    with Line("x" * 5000) as line:
        board = console.Console(line.port)
        longest = max(len(text) for _, (_, text) in zip(range(8), board.events()))
        board.close()
    assert 0 < longest <= 1000


def test_the_console_passes_on_that_a_port_can_not_be_opened():
    with pytest.raises(serial.SerialException):
        next(console.Console("socket://127.0.0.1:%d" % free_port()).events())
