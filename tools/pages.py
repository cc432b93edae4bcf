# SPDX-License-Identifier: MIT
"""Pack firmware/wattport/web/static for a device: each page is one gzipped file, style and script inside.

A dongle serves four clients at a time, so a page must not be five requests. In the comment of a page's gzip header
stands the policy that lets only its own style and script run: another file would take another block of the flash. What
several pages share (their common scripts, the charts, the languages) stays apart, as flash is scarce, and browsers keep
it.

A language goes out as one JSON string, "HASHtranslation|HASHtranslation|...", each hash of an English text: that is in
the pages already, and every quote would cost.
"""

import base64
import gzip
import hashlib
import json
import os
import re
import string
import subprocess
import sys

from tools import npm
from tools.paths import FIRMWARE, ROOT

SOURCES = FIRMWARE / "wattport" / "web" / "static"
POLICY = "default-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_LINK = re.compile(r'<script src="([\w.]+)"></script>')
EXAMPLES = ROOT / "tools" / "contracts"
_SCHEMA = ROOT / "tools" / "schema.py"
# a shared script that did not arrive, as the dongle was busy say, is asked for again
_RETRY = "if (!window.api) setTimeout(() => location.reload(), 3000);\n"
SEPARATOR = "|"  # of the texts of a language
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


def light(text):
    """Without indentation and comments that have a line, or its end, to themselves; CSS and JavaScript.

    No more than that: what a browser's debugger shows stays readable, and gzip does the rest.
    """
    text = re.sub(r"(?ms)^[ \t]*/\*.*?\*/[ \t]*$", "", text)
    text = re.sub(r"(?m)(^|[ \t]{2,})//[ \t].*$", r"\1", text)
    return "".join(line + "\n" for line in (line.strip() for line in text.splitlines()) if line)


def _script(path):
    text = path.read_text()
    for number, line in enumerate(text.splitlines(), 1):
        if line.count("`") % 2:
            raise PageError("%s:%d: a template over several lines would lose its indentation" % (path, number))
    if "</script" in text:
        raise PageError("%s: this ends the script where nobody expects it" % path)
    return light(text)


def inline(source, styles, shared=(), edition=""):
    """The text of a page with its local style sheets and scripts in place of the links to them; `shared` scripts stay
    links. A page that draws charts has the charts' style too: `styles`, by the attribute data-with of the link.
    `edition` tells the browser whether what it keeps is still the same."""
    def style(match):
        parts = [source.with_name(match["name"]).read_text()]
        parts += [styles[name] for name in (match["extra"] or "").split()]
        return "<style>\n%s</style>" % light("\n".join(parts))

    def script(match):
        if match[1] in shared:
            return '<script src="/%s?%s"></script>' % (match[1], edition)
        return "<script>\n%s\0</script>" % _script(source.with_name(match[1]))
    text = re.sub(r"<!--(?! SPDX).*?-->\n?", "", source.read_text(), flags=re.DOTALL)
    text = "".join(line.strip() + "\n" for line in text.splitlines() if line.strip())
    text = re.sub(r'<link rel="stylesheet" href="(?P<name>[\w.]+)"(?: data-with="(?P<extra>[\w ]+)")?>', style, text)
    # scripts that follow each other are one: each would have a hash of its own in the policy
    text = _LINK.sub(script, text).replace("\0</script>\n<script>\n", "").replace("\0", "")
    return text.replace("<script>\n", "<script>\n" + _RETRY, 1) if shared else text


def policy(page):
    """The Content-Security-Policy that lets the styles and scripts in a page run, and files of the dongle."""
    parts = [POLICY]
    for kind in ("style", "script"):
        hashes = ["'sha256-%s'" % base64.b64encode(hashlib.sha256(part.encode()).digest()).decode()
                  for part in re.findall("<%s>(.*?)</%s>" % (kind, kind), page, re.DOTALL)]
        parts.append("%s-src 'self' %s" % (kind, " ".join(hashes)))
    return "; ".join(parts).rstrip()


def _without_legend(style):
    """The charts' style for charts that have no title and no legend, as ours, in the page's letters: half of it."""
    style = re.sub(r"font-family:[^;}]*;", "", style)
    return re.sub(r"[^{}]*\.u-(?:title|legend|inline|series)\b[^{}]*\{[^{}]*\}", "", style)


def _schema():
    """What can be set; asked in a process of its own, as it imports the firmware's modules."""
    done = subprocess.run([sys.executable, "-m", "tools.schema"], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise PageError("tools.schema: " + done.stderr.strip()[-1000:])
    return json.loads(done.stdout)


def _compact(document):
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def text_key(text):
    """What stands for an English text in a packed language: FNV-1a, its upper 24 bits in base 36, five digits;
    common.js as well."""
    value = 2166136261
    for letter in text:
        value = (value ^ ord(letter)) * 16777619 & 0xFFFFFFFF
    value >>= 8
    digits = ""
    while len(digits) < 5:
        value, digit = divmod(value, 36)
        digits = (string.digits + string.ascii_lowercase)[digit] + digits
    return digits


def _language(source):
    texts = json.loads(source.read_text())
    packed = {text_key(english): text for english, text in texts.items()}
    if len(packed) < len(texts):
        raise PageError("%s: two texts have the same hash; change a word of one" % source)
    if any(SEPARATOR in text for text in packed.values()):
        raise PageError("%s: %s separates the texts and can be in none of them" % (source, SEPARATOR))
    return _compact(SEPARATOR.join(key + text for key, text in packed.items()))


def build(sources=SOURCES):
    """{name: bytes as they are sent, before gzip, or the policy beside a page}"""
    charts, style, licence = npm.read("uplot", "dist/uPlot.iife.min.js", "dist/uPlot.min.css", "LICENSE")
    files = {"uplot.js": "/*!\nuPlot\n%s*/\n%s" % (licence, charts)}
    for source in sorted(sources.glob("lang/*.json")):
        files["lang/" + source.name] = _language(source)
    files["schema.json"] = _compact(_schema())
    files["contracts.json"] = _compact({path.stem: json.loads(path.read_text()) for path in sorted(EXAMPLES.iterdir())})
    pages = sorted(sources.glob("*.html"))
    scripts = [name for page in pages for name in _LINK.findall(page.read_text())]
    shared = sorted({name for name in scripts if scripts.count(name) > 1})
    for name in shared:
        files[name] = _script(sources / name)
    # browsers keep these for a day, so their addresses tell which ones they are
    edition = hashlib.sha256("".join(files.values()).encode()).hexdigest()[:8]
    for name in shared:
        files[name] = files[name].replace('"EDITION"', '"%s"' % edition)
    for page in pages:
        text = inline(page, {"uplot": _without_legend(style)}, shared, edition)
        files[page.name] = text
        files[page.name + ".csp"] = policy(text)
    return {name: text.encode() for name, text in files.items()}


def zipped(data, comment=b""):
    """Gzip without a time, so that a build can be repeated; `comment` in its header, RFC 1952, 2.3.1."""
    made = gzip.compress(data, 9, mtime=0)
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
    inputs += [npm.__file__, __file__, _SCHEMA, FIRMWARE / "wattport" / "settings.py"]
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
