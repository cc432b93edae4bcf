# SPDX-License-Identifier: MIT
"""Pack firmware/wattport/web/static for a device: each page is one gzipped file, style and script inside.

A dongle serves four clients at a time, so a page must not be five requests. In the comment of a page's gzip header
stands the policy that lets only its own style and script run: another file would take another block of the flash. What
several pages share (their common scripts with the styles that belong to them, the charts, the languages) stays apart,
as flash is scarce, and browsers keep it.

A language goes out as one JSON string, "KEYStranslation|translation|...", in the order of the keys in common.js; KEYS
is a hash of these, so that a language never meets the keys of another edition.
"""

import base64
import hashlib
import json
import os
import re
import string
import subprocess
import sys

from zopfli import zopfli

from tools import charts, minify, npm
from tools.paths import FIRMWARE, ROOT

SOURCES = FIRMWARE / "wattport" / "web" / "static"
POLICY = "default-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_LINK = re.compile(r'<script src="([\w.]+)"></script>\n?')
_STYLE = re.compile(r'<link rel="stylesheet" href="([\w.]+)"(?: data-with="(\w+)")?>\n?')
EXAMPLES = ROOT / "tools" / "contracts"
_SCHEMA = ROOT / "tools" / "schema.py"
# a shared script that did not arrive, as the dongle was busy say, is asked for again
_RETRY = "if (!window.api) setTimeout(() => location.reload(), 3000);\n"
# a style that comes with a script, for pages that have linked it, stands before the page's own
_ADD_STYLE = """if ("style" in document.currentScript.dataset)
  document.head.insertBefore(Object.assign(document.createElement("style"), {textContent: %s}),
    document.getElementById("own"));
"""
# names of pages that tests ask for
_KEPT = ["askHealth", "go", "power", "reading", "source", "start"]
_CHARTS = {"compress": {"passes": 5, "pure_getters": True, "keep_fargs": False, "unsafe_arrows": True,
                        "unsafe_methods": True}}
SEPARATOR = "|"  # of the texts of a language
KEY = 4  # letters of a key
COMMENT = 512  # bytes that web/page.py looks for the policy in
_STAMP = "made.txt"  # does not ship


class PageError(Exception):
    """A page cannot be packed; the text names the file."""


def write(target, data):
    """Whoever reads it meanwhile has the old one or the new one, whole: tests build side by side."""
    target.parent.mkdir(parents=True, exist_ok=True)
    new = target.with_name("%s.%d.new" % (target.name, os.getpid()))
    new.write_bytes(data)
    new.replace(target)


def _script(path):
    text = path.read_text()
    if "</script" in text:
        raise PageError("%s: this ends the script where nobody expects it" % path)
    return text


def _globals(text):
    """What a script that pages share defines for them."""
    return re.findall(r"^(?:async function|function|const|let) ([\w$]+)", text, re.MULTILINE)


class _Shared:
    """What more than one page loads: `scripts`, and the `styles` that come with the one of the same name."""

    def __init__(self, sources, pages):
        texts = [page.read_text() for page in pages]
        self.scripts = self._often(_LINK, texts)
        self.styles = {name: minify.style((sources / name).read_text()) for name in self._often(_STYLE, texts)
                       if name.replace(".css", ".js") in self.scripts}

    @staticmethod
    def _often(link, texts):
        found = [match[1] for text in texts for match in link.finditer(text)]
        return sorted({name for name in found if found.count(name) > 1})

    def head(self, text, edition):
        """The text of a page, the scripts that pages share in its head, where the styles were: nothing is shown before
        the styles are there."""
        wanted = [name for name in _LINK.findall(text) if name in self.scripts]
        styled = {name.replace(".css", ".js") for name, _ in _STYLE.findall(text) if name in self.styles}
        tags = "".join('<script src="/%s?%s"%s></script>\n' % (name, edition, " data-style" if name in styled else "")
                       for name in wanted)
        text = _STYLE.sub(lambda match: "" if match[1] in self.styles else match[0], text)
        text = _LINK.sub(lambda match: "" if match[1] in self.scripts else match[0], text)
        return text.replace("</head>", tags + "</head>", 1)


def policy(page, styles=()):
    """The Content-Security-Policy that lets the styles and scripts in a page run, and files of the dongle; `styles`:
    those that come with the latter."""
    parts = [POLICY]
    for kind, more in ("style", styles), ("script", ()):
        texts = [*re.findall("<%s(?: id=own)?>(.*?)</%s>" % (kind, kind), page, re.DOTALL), *more]
        hashes = ["'sha256-%s'" % base64.b64encode(hashlib.sha256(part.encode()).digest()).decode() for part in texts]
        parts.append("%s-src 'self' %s" % (kind, " ".join(hashes)))
    return "; ".join(parts).rstrip()


def _schema():
    """What can be set; asked in a process of its own, as it imports the firmware's modules."""
    done = subprocess.run([sys.executable, "-m", "tools.schema"], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise PageError("tools.schema: " + done.stderr.strip()[-1000:])
    return json.loads(done.stdout)


def _compact(document):
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def text_key(text):
    """What stands for an English text: FNV-1a in base 36, its last four digits; common.js as well."""
    value = 2166136261
    for letter in text:
        value = (value ^ ord(letter)) * 16777619 & 0xFFFFFFFF
    digits = ""
    while len(digits) < KEY:
        value, digit = divmod(value, 36)
        digits = (string.digits + string.ascii_lowercase)[digit] + digits
    return digits


def _languages(sources):
    """(keys of all texts, {name of a file: the language as it goes out})"""
    tables = {source.name: json.loads(source.read_text()) for source in sorted(sources.glob("lang/*.json"))}
    english = sorted({text for table in tables.values() for text in table})
    of = {}
    for text in english:
        if of.setdefault(text_key(text), text) != text:
            raise PageError("lang: %r and %r have the same hash; change a word of one" % (of[text_key(text)], text))
    keys = "".join(map(text_key, english))
    made = {}
    for name, table in tables.items():
        if any(SEPARATOR in text for text in table.values()):
            raise PageError("lang/%s: %s separates the texts and can be in none of them" % (name, SEPARATOR))
        made["lang/" + name] = _compact(text_key(keys) + SEPARATOR.join(table.get(text, "") for text in english))
    return keys, made


def _own(sources, page, shared):
    """The script of a page: what follows each other is one, each would have a hash of its own in the policy."""
    names = [name for name in _LINK.findall(page.read_text()) if name not in shared.scripts]
    text = "".join(_script(sources / name) for name in names)
    return (_RETRY if shared.scripts else "") + text


def build(sources=SOURCES):
    """{name: bytes as they are sent, before gzip, or the policy beside a page}"""
    source, style, licence = npm.read("uplot", "dist/uPlot.iife.js", "dist/uPlot.min.css", "LICENSE")
    pages = sorted(sources.glob("*.html"))
    shared = _Shared(sources, pages)
    keys, files = _languages(sources)
    jobs = {"uplot.js": (charts.script(source), _CHARTS)}
    reserved = list(_KEPT)
    for name in shared.scripts:
        text = _script(sources / name).replace('"KEYS"', '"%s"' % keys)
        reserved += _globals(text)
        added = shared.styles.get(name.replace(".js", ".css"))
        jobs[name] = (_ADD_STYLE % json.dumps(added) if added else "") + text, {}
    for page in pages:
        jobs[page.name] = _own(sources, page, shared), {"toplevel": True, "mangle": {"reserved": reserved}}
    scripts = minify.scripts(jobs)
    files["uplot.js"] = "/*!\nuPlot\n%s*/\n%s" % (licence, scripts["uplot.js"])
    files["schema.json"] = _compact(_schema())
    files["contracts.json"] = _compact({path.stem: json.loads(path.read_text()) for path in sorted(EXAMPLES.iterdir())})
    files.update({name: scripts[name] for name in shared.scripts})
    # browsers keep these for a day, so their addresses tell which ones they are
    edition = hashlib.sha256("".join(files.values()).encode()).hexdigest()[:8]
    for name in shared.scripts:
        files[name] = files[name].replace("?EDITION", "?" + edition)
    styles = {"uplot": charts.style(style)}
    for page in pages:
        text = shared.head(page.read_text(), edition)
        own = "".join((sources / name).read_text() + styles.get(more, "") for name, more in _STYLE.findall(text))
        text = minify.page(_LINK.sub("", _STYLE.sub("", text)))
        if own:
            text = text.replace("</title>", "</title>\n<style id=own>%s</style>" % minify.style(own), 1)
        text = text.replace("</body>", "<script>%s</script>\n</body>" % scripts[page.name], 1)
        files[page.name] = text
        with_scripts = [shared.styles[name] for name, _ in _STYLE.findall(page.read_text()) if name in shared.styles]
        files[page.name + ".csp"] = policy(text, with_scripts)
    return {name: text.encode() for name, text in files.items()}


def zipped(data, comment=b""):
    """Gzip without a time, so that a build can be repeated; `comment` in its header, RFC 1952, 2.3.1."""
    made = zopfli.compress(data, gzip_mode=1)
    if not comment:
        return made
    if len(comment) > COMMENT or 0 in comment:
        raise PageError("the policy of a page is too long: %d bytes" % len(comment))
    return made[:3] + bytes([made[3] | 16]) + made[4:10] + comment + b"\0" + made[10:]


def comment(packed):
    """What `zipped` was given."""
    return packed[10:packed.index(0, 10)] if packed[3] & 16 else b""


def _state(sources):
    """Changes when anything does that goes into the files."""
    inputs = [file for file in sources.rglob("*") if file.is_file()]
    inputs += EXAMPLES.glob("*.json")
    inputs += [npm.__file__, charts.__file__, minify.__file__, __file__, _SCHEMA, FIRMWARE / "wattport" / "settings.py"]
    return "".join("%s %d\n" % (file, os.stat(file).st_mtime_ns) for file in sorted(map(str, inputs)))


def pack(target, sources=SOURCES):
    """Bring the folder `target` up to date: NAME.gz for each file."""
    state = _state(sources).encode()
    stamp = target / _STAMP
    if stamp.exists() and stamp.read_bytes() == state:
        return
    files = build(sources)
    wanted = set()
    for name, data in files.items():
        if not name.endswith(".csp"):
            wanted.add(target / (name + ".gz"))
            write(target / (name + ".gz"), zipped(data, files.get(name + ".csp", b"")))
    for stale in set(target.rglob("*.gz")) - wanted:
        stale.unlink(missing_ok=True)
    write(stamp, state)


def weights(packed, sources=SOURCES):
    """{page: bytes that a browser fetches when it has nothing of it yet, a language and the charts among them}"""
    def size(name):
        return (packed / (name + ".gz")).stat().st_size
    found = {}
    language = max(size("lang/" + source.name) for source in sources.glob("lang/*.json"))
    for source in sources.glob("*.html"):
        text = source.read_text()
        apart = [name for name in _LINK.findall(text) if (packed / (name + ".gz")).exists()]
        apart += ["uplot.js"] if 'data-with="uplot"' in text else []
        found[source.name] = size(source.name) + sum(map(size, apart)) + language
    return found
