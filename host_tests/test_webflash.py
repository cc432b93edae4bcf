# SPDX-License-Identifier: MIT
"""The web flasher of a release in Chromium: ESP Web Tools itself writes an image into the model of a chip. In place of
Web Serial there is a port that goes over HTTP to this process, and from here over TCP to the chip."""

import contextlib
import functools
import http.server
import json
import os
import socket
import threading

import pytest

from host_tests import official
from host_tests.browser import Browser, complaints, needs_browser
from host_tests.chip import Chip
from tools import image, webflash

pytestmark = needs_browser
VERSION = "9.8.7"
NAMES = ("esp32_generic", "p1_c3")
STARTS = ("the Wi-Fi of the set-up has the password k3tu8mpd9xwa",
          "       4 info    set-up: join the Wi-Fi Wattport-4d3a, then open http://192.168.71.1")
PORT = """
class Port extends EventTarget {
  async open() {}
  async close() { this.reading = this.writing = null }
  getInfo() { return {usbVendorId: 0x10c4, usbProductId: 0xea60} }
  async setSignals(signals) { await fetch("/serial/signals", {method: "POST", body: JSON.stringify(signals)}) }
  async getSignals() { return {} }
  next() { return this.coming ??= fetch("/serial/read").then(answer => answer.arrayBuffer()) }
  get readable() {
    const port = this;
    let going = true;
    return this.reading ??= new ReadableStream({
      async pull(controller) {
        while (going) {
          const data = new Uint8Array(await port.next());
          if (!going) return;  // what is on its way is the next reader's
          port.coming = null;
          if (data.length) return controller.enqueue(data);
        }
      },
      cancel() { going = false; port.reading = null },
    });
  }
  get writable() {
    const port = this;
    this.writing ??= new WritableStream({
      async write(data) { await fetch("/serial/write", {method: "POST", body: data}) },
      close() { port.writing = null },
      abort() { port.writing = null },
    });
    return this.writing;
  }
}
Object.defineProperty(navigator, "serial", {value: {requestPort: async () => new Port(), addEventListener() {}}});
"""


class Site:
    """The folder of a release on a web server, and the far end of `Port`."""

    def __init__(self, folder, chip):
        self.chip, self.asked, self.rts, self.wire = chip, [], False, None
        self.lock = threading.Lock()
        site = self

        class Handler(http.server.SimpleHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                site.asked.append(self.path)
                if self.path != "/serial/read":
                    return super().do_GET()
                self.answer(site.read())

            def do_POST(self):
                data = self.rfile.read(int(self.headers["Content-Length"]))
                (site.write if self.path == "/serial/write" else site.signals)(data)
                self.answer(b"")

            def answer(self, data):
                self.send_response(200)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                with contextlib.suppress(ConnectionError):  # a page that is closed waits no longer
                    self.wfile.write(data)

            def log_message(self, *rest):
                pass

        self.connect()
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=folder))
        self.http.daemon_threads = True
        self.address = "http://127.0.0.1:%d" % self.http.server_port
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def connect(self):
        host, _, port = self.chip.port.removeprefix("socket://").rpartition(":")
        with self.lock:
            if self.wire:
                self.wire.close()
            self.wire = socket.create_connection((host, int(port)))
            self.wire.settimeout(0.2)

    def read(self):
        with contextlib.suppress(OSError):
            return self.wire.recv(65536)
        return b""

    def write(self, data):
        with contextlib.suppress(OSError):
            self.wire.sendall(data)

    def signals(self, data):
        pulled = json.loads(data).get("requestToSend", self.rts)
        if self.rts and not pulled and self.chip.written:  # let go of the reset
            self.connect()
        self.rts = pulled

    def close(self):
        self.http.shutdown()
        self.http.server_close()
        self.wire.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """As tools.release lays it; the image is random, in pieces, in an empty flash."""
    top = tmp_path_factory.mktemp("release")
    for name in NAMES:
        board = image.board(name)
        data = official.for_board(board) + os.urandom(60_000)
        (top / ("wattport-%s-%s.bin" % (name, VERSION))).write_bytes(data.ljust(1 << 20, b"\xff"))
    for path, data in webflash.files([image.board(name) for name in NAMES], VERSION).items():
        (top / "web" / path).parent.mkdir(parents=True, exist_ok=True)
        (top / "web" / path).write_bytes(data)
    return top


@pytest.fixture
def opened(folder, monkeypatch):
    from playwright.sync_api import sync_playwright
    with Chip(boot=STARTS) as chip, sync_playwright() as engine:
        site, browser = Site(folder, chip), Browser(engine)
        page = browser.page("about:blank")
        page.add_init_script(PORT)
        page.goto(site.address + "/web/")
        yield page, site, browser
        browser.close()
        site.close()


def installed(page):
    """Go through the dialog. Its time-outs are those of a wire; on a busy machine a try may fail, as it may there."""
    done = page.locator('ewt-page-message[label="Installation complete!"]')
    failed = page.get_by_text("Installation failed")
    for _ in range(4):
        page.get_by_text("Install Wattport for esp32_generic").click(timeout=60000)
        page.locator("ewt-install-dialog").get_by_role("button", name="Install", exact=True).click()
        done.or_(failed).wait_for(timeout=100000)
        if done.is_visible():
            return
        page.get_by_role("button", name="Back").click()
    raise AssertionError("the installation failed again and again")


def test_the_page_writes_the_image_of_the_chosen_board_and_its_console_tells_the_password(opened, folder):
    page, site, browser = opened
    page.get_by_text("esp32_generic").click()
    page.get_by_role("button", name="Install", exact=True).click()
    installed(page)
    image_file = (folder / ("wattport-esp32_generic-%s.bin" % VERSION)).read_bytes()
    assert site.chip.flash[:len(image_file)] == image_file
    assert site.chip.flash[len(image_file):] == b"\xff" * (len(site.chip.flash) - len(image_file))  # erased before
    page.get_by_role("button", name="Next").click()
    dialog = page.locator("ewt-install-dialog")
    dialog.get_by_text("Logs & Console").click(timeout=60000)
    dialog.get_by_text("Reset Device").click(timeout=60000)
    dialog.get_by_text("has the password k3tu8mpd9xwa").first.wait_for(timeout=60000)
    assert not [path for path in site.asked if not path.startswith(("/web/", "/wattport-", "/serial/"))]
    assert not [error for error in browser.errors if "Serial data stream stopped" not in error]


def test_before_a_board_is_chosen_there_is_nothing_to_press_and_the_page_is_accessible(opened):
    page, _, browser = opened
    assert not page.locator("#install").is_visible() and page.get_by_text("Choose the board first.").is_visible()
    assert complaints(page) == []
    page.get_by_text("p1_c3").click()
    page.get_by_role("button", name="Install", exact=True).wait_for()
    assert page.evaluate("install.manifest") == "manifest-p1_c3.json"
    assert complaints(page) == []
    assert browser.errors == []
