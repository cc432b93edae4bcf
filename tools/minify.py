# SPDX-License-Identifier: MIT
"""Scripts, styles and pages made small: scripts by terser, a pinned package of the npm registry, all of them in one run
of node, the one that npm needs anyway, and kept in .build/terser; what is left to do with the other two is little, and
done here.
"""

import hashlib
import json
import os
import re
import subprocess
import tempfile
from pathlib import Path

from tools import npm
from tools.paths import BUILD

# what every browser of 2020 reads
_OPTIONS = {"ecma": 2020, "compress": {"passes": 3}, "format": {"comments": False}}
_RUN = """
const {minify} = require("./terser.js");
const jobs = JSON.parse(require("fs").readFileSync(0, "utf8"));
(async () => {
  const made = {};
  for (const [name, [text, options]] of Object.entries(jobs)) {
    try {
      made[name] = (await minify({[name]: text}, options)).code;
    } catch (error) {
      throw `${name}:${error.line}: ${error.message}`;
    }
  }
  console.log(JSON.stringify(made));
})().catch(error => { console.error(String(error.stack || error)); process.exit(1); });
"""
_TAG = re.compile(r"<[a-z][^<>]*>")
_VALUE = re.compile(r"""="([^\s"'`=<>]+)"(?=[\s>])""")


class MinifyError(Exception):
    """A script that cannot be read; the text names the file and the line."""


def _run(jobs):
    """{name: the script's text}"""
    command, environment = npm.node()
    terser, = npm.read("terser", "dist/bundle.min.js")
    with tempfile.TemporaryDirectory() as folder:
        # maps from what is made to what was written are not asked for
        (Path(folder) / "terser.js").write_text(terser.replace("require('@jridgewell/source-map')", "{}"))
        (Path(folder) / "run.js").write_text(_RUN)
        done = subprocess.run([*command, "run.js"], cwd=folder, env=environment, input=json.dumps(jobs),
                              capture_output=True, text=True)
    if done.returncode:
        raise MinifyError("terser: " + done.stderr.strip()[-1000:])
    return json.loads(done.stdout)


def scripts(texts):
    """{name: the script's text} for {name: (text, options)}; `options` of terser, beside ours."""
    jobs = {name: [text, {**_OPTIONS, **options}] for name, (text, options) in texts.items()}
    kept = {}
    for name, job in jobs.items():
        key = hashlib.sha256(json.dumps([npm.PACKAGES["terser"], job]).encode()).hexdigest()[:24]
        kept[name] = BUILD / "terser" / (key + ".js")
    missing = {name: job for name, job in jobs.items() if not kept[name].exists()}
    for name, text in (_run(missing) if missing else {}).items():
        kept[name].parent.mkdir(parents=True, exist_ok=True)
        new = kept[name].with_suffix(".%d" % os.getpid())
        new.write_text(text)
        new.replace(kept[name])  # in one step: tests build side by side
    return {name: path.read_text() for name, path in kept.items()}


def style(text):
    """CSS without comments and spaces that say nothing."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    text = re.sub(r"\s+", " ", text)
    text = re.sub(r" ?([{};,>]) ?", r"\1", text)
    return re.sub(r"(?<=[\w)-]): ", ":", text).replace(";}", "}").strip()


def page(text):
    """HTML without comments, indentation and quotes around single words. It holds no script and no style yet."""
    text = re.sub(r"<!--.*?-->\n?", "", text, flags=re.DOTALL)
    text = "\n".join(line.strip() for line in text.splitlines() if line.strip())
    return _TAG.sub(lambda tag: _VALUE.sub(r"=\1", tag[0]), text)
