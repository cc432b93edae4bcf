# SPDX-License-Identifier: MIT
"""The official MicroPython image, fetched from a server that stands here, as micropython.org is laid out."""

import hashlib
import io
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from host_tests import official
from host_tests.brokers import free_port
from tools import appimage, image, stock
from tools.paths import BOARDS

BOARD = image.board("esp32_generic")
GOOD = official.for_board(BOARD)


class Server:
    """`answer`: (status, bytes, the Content-Length that is claimed or None); `asked`: paths."""

    def __init__(self):
        self.answer, self.asked = (200, GOOD, len(GOOD)), []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                server.asked.append(self.path)
                status, data, length = server.answer
                self.send_response(status)
                if length is not None:
                    self.send_header("Content-Length", str(length))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *rest):
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = "http://127.0.0.1:%d/resources/firmware" % self._http.server_port
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def close(self):
        self._http.shutdown()
        self._http.server_close()


@pytest.fixture
def server(tmp_path, monkeypatch):
    made = Server()
    monkeypatch.setenv(stock.VARIABLE, made.address)
    monkeypatch.setattr(stock, "CACHE", tmp_path / "kept")
    pin(tmp_path, monkeypatch, None)
    yield made
    made.close()


def pin(tmp_path, monkeypatch, digest):
    path = tmp_path / "images.json"
    path.write_text(json.dumps({BOARD.IMAGE: {"version": "1.29.0", "date": "20260824", "sha256": digest}}))
    monkeypatch.setattr(stock, "PINS", path)


def fetch(tell=lambda line: None):
    return stock.fetch(BOARD, image.check_official, tell)


def test_the_image_of_the_board_is_fetched_by_its_official_name_checked_and_kept(server):
    told = []
    path = fetch(told.append)
    assert server.asked == ["/resources/firmware/ESP32_GENERIC-OTA-20260824-v1.29.0.bin"]
    assert path.read_bytes() == GOOD
    assert sorted(file.name for file in path.parent.iterdir()) == [path.name, path.name + ".sha256"]
    assert any(hashlib.sha256(GOOD).hexdigest() in line for line in told)
    assert fetch() == path and len(server.asked) == 1


def test_a_kept_image_that_was_damaged_is_fetched_anew(server):
    path = fetch()
    path.write_bytes(GOOD[:-100])
    assert fetch().read_bytes() == GOOD and len(server.asked) == 2


def test_without_a_server_of_ones_own_it_comes_from_micropython_org_over_https(monkeypatch):
    monkeypatch.delenv(stock.VARIABLE, raising=False)
    assert stock.url(BOARD) == ("https://micropython.org/resources/firmware/" + stock.file_name(BOARD))


def test_the_pinned_digest_decides(server, tmp_path, monkeypatch):
    pin(tmp_path, monkeypatch, hashlib.sha256(GOOD).hexdigest())
    assert fetch().read_bytes() == GOOD
    pin(tmp_path, monkeypatch, "0" * 64)
    with pytest.raises(appimage.ImageError, match="not the image that was pinned: its SHA-256 is " +
                       hashlib.sha256(GOOD).hexdigest()):
        fetch()


def test_without_a_known_digest_the_first_image_decides_what_the_next_ones_are(server):
    other = official.image(BOARD.CHIP, official.OTA, size=6000)
    assert image.check_official(other, BOARD) == "1.29.0"
    path = fetch()
    path.unlink()
    server.answer = 200, other, len(other)
    with pytest.raises(appimage.ImageError, match="not the image that was pinned.*sha256 has " +
                       hashlib.sha256(GOOD).hexdigest()):
        fetch()
    assert not path.exists()


def test_without_a_known_digest_plain_http_is_refused_before_anything_is_asked_for(server, monkeypatch, tmp_path):
    monkeypatch.setenv(stock.VARIABLE, "http://mirror.invalid/firmware")
    with pytest.raises(appimage.ImageError, match="plain http.*https address.*MICROPYTHON="):
        fetch()
    pin(tmp_path, monkeypatch, hashlib.sha256(GOOD).hexdigest())
    with pytest.raises(appimage.ImageError, match="cannot be fetched"):  # there it may be asked for
        fetch()


def test_an_address_that_leads_to_plain_http_is_refused(server, monkeypatch):
    class Answer(io.BytesIO):
        headers = {}

        def geturl(self):
            return "http://mirror.invalid/firmware"

    monkeypatch.setattr(stock.urllib.request, "urlopen", lambda *what, **how: Answer(GOOD))
    monkeypatch.delenv(stock.VARIABLE)
    with pytest.raises(appimage.ImageError, match="leads to plain http"):
        fetch()


def without_digest():
    """An image whose header says that there is none."""
    data = bytearray(GOOD)
    data[0x10000 - appimage.BOOTLOADER[BOARD.CHIP] + appimage.HASH_AT] = 0
    return bytes(data[:-32])


WRONG = {
    "another version": ((200, official.for_board(BOARD, "1.28.0"), None), "it is MicroPython 1.28.0, and not 1.29.0"),
    "without a digest": ((200, without_digest(), None), "no SHA-256 of its own"),
    "not found": ((404, b"", 0), "the server says 404 Not Found.*MICROPYTHON="),
    "a broken server": ((500, b"", 0), "the server says 500"),
    "cut short": ((200, GOOD[:5000], len(GOOD)), "broke off after|IncompleteRead|cannot be fetched"),
    "cut short by a server that does not tell": ((200, GOOD[:-100], None), "cut short or damaged"),
    "a page instead": ((200, b"<html>", 6), "no image for an ESP chip"),
    "another chip's": ((200, official.for_board(image.board("p1_s3")), None), "it is for esp32s3"),
    "too large": ((200, bytes(17 << 20), 17 << 20), "larger than any image"),
}


@pytest.mark.parametrize("answer, sentence", WRONG.values(), ids=WRONG)
def test_what_is_not_the_image_is_refused_and_not_kept(answer, sentence, server):
    server.answer = answer
    with pytest.raises(appimage.ImageError, match=sentence):
        fetch()
    assert not list(stock.CACHE.glob("*"))


def test_a_machine_that_is_offline_is_told_what_to_do(server, monkeypatch, capsys):
    monkeypatch.setenv(stock.VARIABLE, "http://127.0.0.1:%d" % free_port())
    assert image.main([]) == 2
    told = capsys.readouterr().err
    assert "Is this machine online?" in told and "MICROPYTHON=path/to/it.bin" in told and "ESP32_GENERIC-OTA" in told


def test_an_image_that_nobody_pinned_a_version_of_is_named(server, tmp_path):
    stock.PINS.write_text("{}")
    with pytest.raises(appimage.ImageError, match="no version of ESP32_GENERIC-OTA"):
        fetch()


def test_every_board_has_a_version_that_the_program_is_for():
    known = json.loads((BOARDS / "images.json").read_text())
    for folder in BOARDS.glob("*/board.py"):
        pin = known[image.board(folder.parent.name).IMAGE]
        version = tuple(int(part) for part in pin["version"].split("."))
        assert version[:2] >= (1, 25) and len(pin["date"]) == 8
        assert pin["sha256"] is None or len(bytes.fromhex(pin["sha256"])) == 32


def test_the_tool_prints_the_line_for_the_list(server, capsys):
    assert stock.main(["esp32_generic"]) == 0
    told = capsys.readouterr().out
    assert '"sha256": "%s"' % hashlib.sha256(GOOD).hexdigest() in told
