# SPDX-License-Identifier: MIT
"""The pages as they are packed: whole, small, under a policy that lets them run, in every language, with labels."""

import base64
import gzip
import hashlib
import json
import re
import shutil
from html.parser import HTMLParser

import pytest

from host_tests.page_texts import device_texts, page_texts, script_texts
from tools import charts, minify, npm, pages

STATIC = pages.SOURCES
PAGES = sorted(path.name for path in STATIC.glob("*.html"))
LANGUAGES = sorted(path.stem for path in STATIC.glob("lang/*.json"))
BUDGET = 100 * 1024
NEWER = ("replaceChildren", "replaceAll", "??=", "||=", "&&=", "AbortSignal.timeout", "structuredClone", ".at(",
         "Object.hasOwn", "showModal", "crypto.randomUUID", "findLast", "toSorted")
VOID = {"meta", "link", "input", "br", "img", "hr"}


@pytest.fixture(scope="module")
def built():
    return pages.build()


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    target = tmp_path_factory.mktemp("pages")
    pages.pack(target)
    return target


# ---- packing


def test_a_page_carries_its_own_style_and_script_and_links_only_what_pages_share(built):
    used = []
    for name in PAGES:
        page, source = built[name].decode(), (STATIC / name).read_text()
        assert page.startswith("<!doctype html>") and 'rel="stylesheet"' not in page and "rel=stylesheet" not in page
        linked = re.findall(r"<script src=/([\w.]+)\?[0-9a-f]{8}(?: data-style)?></script>",
                            page.partition("</head>")[0])
        wanted = re.findall(r'<script src="([\w.]+)"></script>', source)
        assert page.count("<script>") == 1 and len(wanted) > len(linked) and page.count("<script ") == len(linked)
        assert set(linked) <= set(built) & set(wanted)
        used += linked
    shared = {name for name in built if name.endswith(".js")} - {"uplot.js"}
    assert all(used.count(name) > 1 for name in shared) and set(used) == shared


def styles_of(built, name):
    """All style that a page gets: its own, and what comes with the scripts whose tags say so."""
    page = built[name].decode()
    own = re.findall(r"<style id=own>(.*?)</style>", page)
    linked = re.findall(r"<script src=/([\w.]+)\?\w+ data-style>", page)
    added = re.compile(r'"style"in document\.currentScript\.dataset&&document\.head\.insertBefore'
                       r'\(.*?textContent:([\'"])(.*?)\1\}')
    with_scripts = [added.match(built[script].decode())[2] for script in linked]
    return own, [text.replace("\\\\", "\\").replace('\\"', '"') for text in with_scripts]


def test_every_style_sheet_of_a_page_reaches_it_in_the_order_of_its_links(built):
    for name in PAGES:
        own, shared = styles_of(built, name)
        found = "".join(shared + own)
        places = [found.index(minify.style((STATIC / sheet).read_text())) for sheet in re.findall(
            r'<link rel="stylesheet" href="([\w.]+)"', (STATIC / name).read_text())]
        assert places == sorted(places) and places


def test_the_addresses_of_what_browsers_keep_change_with_it(built, tmp_path):
    shutil.copytree(STATIC, tmp_path / "static")
    (tmp_path / "static" / "lang" / "nl.json").write_text("{}")
    other = pages.build(tmp_path / "static")
    edition, new = (re.search(r"/uplot\.js\?(\w{8})|\?(\w{8})['\"]", files["common.js"].decode()) for files in (
        built, other))
    edition, new = (match[1] or match[2] for match in (edition, new))
    assert edition != new and edition.encode() in built["index.html"] and new.encode() in other["index.html"]
    assert b"?EDITION" not in built["common.js"] + built["index.html"]


def test_a_packed_language_gives_each_text_its_translation(built):
    keys = re.search(r"['\"]((?:[0-9a-z]{4}){100,})['\"]", built["common.js"].decode())[1]
    keys = [keys[at:at + pages.KEY] for at in range(0, len(keys), pages.KEY)]
    for code in LANGUAGES:
        packed = json.loads(built["lang/%s.json" % code])
        assert packed[:pages.KEY] == pages.text_key("".join(keys))
        parts = packed[pages.KEY:].split(pages.SEPARATOR)
        texts = json.loads((STATIC / "lang" / (code + ".json")).read_text())
        assert len(parts) == len(keys) == len(texts)
        assert {pages.text_key(english): text for english, text in texts.items()} == dict(zip(keys, parts))


def test_what_a_language_lacks_stays_empty_so_that_english_is_shown(tmp_path):
    (tmp_path / "lang").mkdir()
    (tmp_path / "lang" / "nl.json").write_text(json.dumps({"a": "b", "c": "d"}))
    (tmp_path / "lang" / "de.json").write_text(json.dumps({"c": "e"}))
    assert json.loads(pages.build(tmp_path)["lang/de.json"])[pages.KEY:] == pages.SEPARATOR + "e"


def test_a_translation_with_the_separator_in_it_is_refused(tmp_path):
    (tmp_path / "lang").mkdir()
    (tmp_path / "lang" / "nl.json").write_text(json.dumps({"a": "b" + pages.SEPARATOR}))
    with pytest.raises(pages.PageError, match="nl.json"):
        pages.build(tmp_path)


def test_two_texts_with_the_same_hash_are_refused(tmp_path):
    seen = {}
    for number in range(100_000):
        twin = seen.setdefault(pages.text_key(str(number)), number)
        if twin != number:
            break
    (tmp_path / "lang").mkdir()
    (tmp_path / "lang" / "nl.json").write_text(json.dumps({str(twin): "a", str(number): "b"}))
    with pytest.raises(pages.PageError, match="'%d' and '%d'|'%d' and '%d'" % (twin, number, number, twin)):
        pages.build(tmp_path)


def test_the_policy_lets_the_scripts_and_styles_of_a_page_run_and_no_others(built):
    for name in PAGES:
        page, policy = built[name].decode(), built[name + ".csp"].decode()
        assert "\n" not in policy and "unsafe" not in policy and "default-src 'self'" in policy
        rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
        own, shared = styles_of(built, name)
        for kind, parts in ("style", own + shared), ("script", re.findall("<script>(.*?)</script>", page, re.DOTALL)):
            digests = {"'sha256-%s'" % base64.b64encode(hashlib.sha256(part.encode()).digest()).decode()
                       for part in parts}
            assert parts and set(rules[kind + "-src"].split()) == digests | {"'self'"}
        assert not re.findall(r"""\s(?:on\w+|style)\s*=\s*["']""", re.sub(r"(?s)<(script|style)>.*?</\1>", "", page))


def test_nothing_comes_from_elsewhere_and_no_value_can_become_html(built):
    for name in PAGES:
        page = built[name].decode()
        assert not re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?(?:https?:)?//""", page)
        for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"):
            assert word not in page, (name, word)


def test_a_script_keeps_the_names_that_others_use_and_loses_what_nobody_needs():
    made = minify.scripts({"a.js": ("// one\nfunction shown(argument) {\n  return argument + 1;\n}", {}),
                           "b.js": ("const once = 1;\nshown(once);\nfunction never() {}", {"toplevel": True})})
    assert made == {"a.js": "function shown(n){return n+1}", "b.js": "shown(1);"}


def test_a_script_that_cannot_be_read_is_refused_with_its_line():
    with pytest.raises(minify.MinifyError, match="a.js:2"):
        minify.scripts({"a.js": ("const a = 1;\n1 1", {})})


def test_a_style_keeps_the_spaces_that_say_something():
    assert minify.style('/* a\nb */ a > b, .c :hover { color: red; width: calc(1em + 2px); content: "a" }\n'
                        "@media (a: 1px) and (b) { .d { top: 0; } }") == (
        'a>b,.c :hover{color:red;width:calc(1em + 2px);content:"a"}@media (a:1px) and (b){.d{top:0}}')


def test_a_page_loses_comments_indentation_and_quotes_around_single_words():
    assert minify.page('<!-- a\nb -->\n  <a href="/" class="a b" id="c">"d" = "e"</a>\n\n') == (
        '<a href=/ class="a b" id=c>"d" = "e"</a>')


def test_a_script_that_would_end_its_element_is_refused(tmp_path):
    (tmp_path / "a.js").write_text('const a = "</script>";\n')
    (tmp_path / "a.html").write_text('<body><script src="a.js"></script></body>')
    with pytest.raises(pages.PageError, match="a.js"):
        pages.build(tmp_path)


def test_a_page_whose_scripts_are_all_its_own_is_one_file(tmp_path):
    (tmp_path / "a.js").write_text("alert(1);\n")
    (tmp_path / "a.css").write_text("a { top: 0 }\n")
    (tmp_path / "a.html").write_text('<head><title>A</title><link rel="stylesheet" href="a.css">\n</head><body>\n'
                                     '<script src="a.js"></script></body>')
    assert pages.build(tmp_path)["a.html"].decode() == (
        "<head><title>A</title>\n<style id=own>a{top:0}</style></head><body>\n<script>alert(1);</script>\n</body>")


def test_of_the_charts_style_what_charts_without_a_legend_need_is_kept(built):
    page = built["index.html"].decode()
    assert ".u-wrap{position:relative" in page and ".u-over,.u-under{position:absolute" in page
    assert "u-legend" not in page and "u-series" not in page


def test_other_charts_than_those_that_were_cut_before_are_refused():
    source, = npm.read("uplot", "dist/uPlot.iife.js")
    with pytest.raises(charts.ChartsError, match="syncKey"):
        charts.script(source.replace("syncKey", "otherKey"))


def test_packing_twice_gives_the_same_bytes_and_nothing_that_is_old_stays(packed, tmp_path):
    (tmp_path / "lang").mkdir()
    (tmp_path / "lang" / "xx.json.gz").write_bytes(b"old")
    (tmp_path / "other.html.gz").write_bytes(b"old")
    pages.pack(tmp_path)
    assert {path.relative_to(packed): path.read_bytes() for path in packed.rglob("*.*")} == {
        path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*.*")}


def test_what_has_not_changed_is_not_packed_again(packed):
    before = {path: path.stat().st_mtime_ns for path in packed.rglob("*.gz")}
    pages.pack(packed)
    assert before == {path: path.stat().st_mtime_ns for path in packed.rglob("*.gz")}


def test_a_package_that_is_not_the_pinned_one_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(npm, "BUILD", tmp_path)
    version, integrity = npm.PACKAGES["uplot"]
    kept = tmp_path / "npm" / ("uplot-%s.tgz" % version)
    kept.parent.mkdir()
    kept.write_bytes(b"something else")
    monkeypatch.setattr(npm, "_program", lambda name: (["cp", str(kept), "uplot.tgz", "; true"], {}))
    monkeypatch.setattr(npm.subprocess, "run", lambda words, cwd, **_: _copied(kept, cwd))
    with pytest.raises(npm.NpmError, match="SHA-512"):
        npm.read("uplot", "LICENSE")


def _copied(source, folder):
    from pathlib import Path
    (Path(folder) / "uplot.tgz").write_bytes(source.read_bytes())
    return npm.subprocess.CompletedProcess([], 0, "", "")


def test_the_charts_ship_with_their_licence(built):
    assert b"Permission is hereby granted" in built["uplot.js"][:1200] and b"var uPlot" in built["uplot.js"]


def test_each_page_with_all_that_it_loads_is_100_kb_at_most_over_the_wire(packed):
    weights = pages.weights(packed)
    assert set(weights) == set(PAGES) and max(weights.values()) <= BUDGET
    assert weights["index.html"] > (packed / "index.html.gz").stat().st_size + (packed / "uplot.js.gz").stat().st_size


# ---- languages


def test_each_language_has_every_text_of_the_pages_and_no_others():
    wanted = set().union(*(page_texts(STATIC / name) for name in PAGES), *map(script_texts, STATIC.glob("*.js")))
    wanted |= device_texts()
    for code in LANGUAGES:
        table = json.loads((STATIC / "lang" / (code + ".json")).read_text())
        assert not wanted - set(table), (code, "missing")
        assert not set(table) - wanted, (code, "unused")


def test_a_translation_fills_in_the_same_values_and_ends_as_the_text_does():
    for code in LANGUAGES:
        for english, text in json.loads((STATIC / "lang" / (code + ".json")).read_text()).items():
            assert text.strip() == text and text, (code, english)
            assert sorted(re.findall(r"\{\d\}", english)) == sorted(re.findall(r"\{\d\}", text)), (code, english)
            for end in ".?!…:":
                assert english.endswith(end) == text.endswith(end), (code, english)


def test_the_files_of_the_languages_are_sorted_with_a_text_in_each_line():
    for code in LANGUAGES:
        text = (STATIC / "lang" / (code + ".json")).read_text()
        assert text == json.dumps(json.loads(text), ensure_ascii=False, indent=0, sort_keys=True) + "\n", code


def test_the_pages_offer_the_languages_that_there_are():
    listed = re.search(r"LANGUAGES = \{(.*?)\}", (STATIC / "common.js").read_text())[1]
    assert sorted(re.findall(r"(\w\w):", listed)) == sorted(["en", *LANGUAGES])


def test_texts_are_found_wherever_they_stand(tmp_path):
    page = tmp_path / "a.html"
    page.write_text('<p data-t>One <input data-t="placeholder title" placeholder="two" title="three">'
                    '<b data-t="text aria-label" aria-label="four">Five</b>')
    assert page_texts(page) == {"One", "two", "three", "four", "Five"}
    script = tmp_path / "a.js"
    script.write_text(r'a(t("One"), t( "t\"wo", 3), N("four"), start("five"), "six")')
    assert script_texts(script) == {"One", 't"wo', "four"}


# ---- markup


class Page(HTMLParser):
    """Ids, labels and nesting of a page."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.references, self.labelled, self.controls, self.open, self.images = [], [], [], [], [], []
        self.headings = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        if "id" in found:
            self.ids.append(found["id"])
        for name in ("for", "aria-labelledby", "aria-describedby", "aria-controls"):
            self.references += (found.get(name) or "").split()
        if tag == "label":
            self.labelled.append(found.get("for"))
        if tag in ("input", "select", "textarea") and found.get("type") != "hidden":
            named = "aria-label" in found or "aria-labelledby" in found or "label" in self.open or "hidden" in found
            self.controls.append((found.get("id"), named))
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, (tag, self.open, self.getpos())
        self.open.pop()


@pytest.mark.parametrize("name", PAGES)
def test_elements_are_closed_ids_are_unique_and_every_control_has_a_label(name):
    text = (STATIC / name).read_text()
    page = Page(text)
    assert not page.open
    assert len(page.ids) == len(set(page.ids))
    assert set(page.references) <= set(page.ids)
    for identity, named in page.controls:
        assert named or identity in page.labelled, identity
    assert page.headings[0] == 1 and page.headings.count(1) == 1
    assert re.search(r'<html lang="en">', text) and 'name="viewport"' in text and "<title>" in text
    assert "<noscript>" in text


@pytest.mark.parametrize("name", sorted(path.name for path in STATIC.glob("*.js")))
def test_scripts_use_nothing_that_phones_of_2020_do_not_have(name):
    text = (STATIC / name).read_text()
    text = minify.scripts({name: (text, {})})[name]
    for newer in NEWER:
        assert newer not in text, newer
    assert not re.search(r"^\s*(import|export) ", text, re.MULTILINE)


def test_nothing_that_ships_is_newer_than_phones_of_2020_the_charts_included(built):
    for name, data in built.items():
        if name.endswith((".js", ".html")):
            for newer in NEWER:
                assert newer not in data.decode(), (name, newer)


@pytest.mark.parametrize("name", sorted(path.name for path in STATIC.glob("*.css")))
def test_styles_use_nothing_that_phones_of_2020_do_not_have(name):
    text = (STATIC / name).read_text()
    for newer in (":has(", "inset:", ":is(", ":where(", "aspect-ratio", "color-mix", "@layer", "@container"):
        assert newer not in re.sub(r"(?s)/\*.*?\*/", "", text), newer
    for rule in re.findall(r"\{[^{}]*\}", text):
        assert not ("flex" in rule and re.search(r"[^-]gap:", rule)), rule


def test_the_ids_that_scripts_ask_for_are_there():
    for name in PAGES:
        page = (STATIC / name).read_text()
        ids = set(Page(page).ids)
        for script in re.findall(r'<script src="([\w.]+)">', page):
            if script != "common.js":
                text = (STATIC / script).read_text()
                made = set(re.findall(r'\bid: "([\w-]+)"', text))
                wanted = set(re.findall(r'\$\("([\w-]+)"\)', text))
                if name == "history.html" or script.split(".")[0] in ("dashboard", "setup", "settings"):
                    assert wanted <= ids | made, (script, wanted - ids - made)


def test_sentences_of_the_device_are_read_from_its_source():
    assert {"the key is right", "This is not the password."} <= device_texts()


def test_the_policy_stands_in_the_header_of_the_page_and_whoever_unpacks_it_does_not_mind(packed, built):
    for name in PAGES:
        data = (packed / (name + ".gz")).read_bytes()
        assert pages.comment(data) == built[name + ".csp"] and gzip.decompress(data) == built[name]
    assert pages.comment((packed / "uplot.js.gz").read_bytes()) == b""


@pytest.mark.parametrize("policy", [b"a" * (pages.COMMENT + 1), b"a\0b"])
def test_a_policy_that_the_device_would_not_read_to_its_end_is_refused(policy):
    with pytest.raises(pages.PageError):
        pages.zipped(b"page", policy)


def test_gzip_carries_no_time_so_that_a_build_can_be_repeated(packed):
    for path in packed.rglob("*.gz"):
        assert path.read_bytes()[4:8] == bytes(4), path
        assert gzip.decompress(path.read_bytes())
