# SPDX-License-Identifier: MIT
"""The history's CSV in LibreOffice: what its table holds is what the file says, in any language's way of writing
numbers."""

import csv
import io
import os
import re
import shutil
import subprocess
import zipfile
from datetime import datetime
from xml.etree import ElementTree

import pytest

from tools import cpython
from tools.bench import past

cpython.install()

from wattport import posixzone  # noqa: E402
from wattport.history import export, place  # noqa: E402

OFFICE = shutil.which("soffice")
PATIENCE = 120
SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
ZONE = posixzone.parse(posixzone.CENTRAL_EUROPE)
FIRST = 1_743_116_400  # 2025-03-28 00:00 in Central Europe; summer time begins on the 30th
AUTUMN = 1_761_343_200  # 2025-10-25 00:00; it ends on the 26th
EXPORTS = {  # name: step, since, until, UTC
    "spring": ("halfhour", FIRST, FIRST + 4 * 86400, False), "autumn": ("halfhour", AUTUMN, AUTUMN + 3 * 86400, False),
    "utc": ("halfhour", AUTUMN, AUTUMN + 3 * 86400, True), "hours": ("hour", AUTUMN, AUTUMN + 3 * 86400, False),
    "days": ("day", FIRST, AUTUMN + 3 * 86400, False), "months": ("month", FIRST, AUTUMN + 3 * 86400, False)}
LOCALE = """<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry">
<item oor:path="/org.openoffice.Setup/L10N"><prop oor:name="ooSetupSystemLocale" oor:op="fuse"><value>%s</value></prop>
</item>
</oor:items>
"""

pytestmark = pytest.mark.skipif(not OFFICE, reason="no LibreOffice: install the package libreoffice-calc-nogui")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The exports of two times six days, with a value far above 32 bits, and one that is missing in part."""
    folder = tmp_path_factory.mktemp("spreadsheet")
    rows = [{"import_wh": i * 37 % 900, "export_wh": i * 11 % 70, "1.volume_l": i % 3, "power_import_max_w": 10 * i,
             "voltage_min_mv": 229700} for i in range(48 * 6)]
    rows[20]["import_wh"] = 5_000_000_000
    past.write(folder, FIRST, rows)
    past.write(folder, AUTUMN, [{name: row[name] for name in row if name != "export_wh"} for row in rows])
    here = os.getcwd()
    os.chdir(folder)
    try:
        for name, (step, since, until, utc) in EXPORTS.items():
            pieces = export.csv(ZONE, step, since, until, utc)
            (folder / (name + ".csv")).write_bytes("".join(piece for piece in pieces if piece).encode())
    finally:
        os.chdir(here)
        place.let_go()
    return folder


def converted(folder, kind, files, locale):
    """What LibreOffice makes of files, in a folder."""
    profile = folder / ("profile-" + locale)
    if not profile.exists():
        (profile / "user").mkdir(parents=True)
        (profile / "user" / "registrymodifications.xcu").write_text(LOCALE % locale)
    into = folder / ("%s-%s" % (kind, locale))
    subprocess.run([OFFICE, "-env:UserInstallation=file://%s" % profile, "--headless", "--convert-to", kind, "--outdir",
                    str(into), *map(str, files)], check=True, timeout=PATIENCE, stdout=subprocess.DEVNULL)
    return [into / (file.stem + "." + kind) for file in files]


def table(path):
    """The cells of a CSV: texts, or whole numbers, or None."""
    with open(path, newline="", encoding="utf-8") as file:
        return [[int(cell) if re.fullmatch(r"-?\d+", cell) else cell or None for cell in row]
                for row in csv.reader(io.StringIO(file.read()))]


def cells(path):
    """The same of the only sheet of an .xlsx, as LibreOffice understood them: by the type of each cell."""
    with zipfile.ZipFile(path) as book:
        texts = ["".join(part.text or "" for part in item.iter(SHEET + "t"))
                 for item in ElementTree.fromstring(book.read("xl/sharedStrings.xml"))]
        sheet = ElementTree.fromstring(book.read("xl/worksheets/sheet1.xml"))
    found = []
    for row in sheet.iter(SHEET + "row"):
        line = {}
        for cell in row:
            column = ord(cell.get("r")[0]) - 65
            value = cell.find(SHEET + "v")
            if value is not None:
                assert cell.get("t") in ("s", "n"), "a date, a truth or an error: %s" % cell.get("r")
                line[column] = texts[int(value.text)] if cell.get("t") == "s" else int(value.text)
        found.append(line)
    width = len(found[0])
    return [[line.get(column) for column in range(width)] for line in found]


@pytest.mark.parametrize("locale", ["en-GB", "de-DE"])
def test_every_value_and_every_time_is_in_the_spreadsheet_as_it_was_exported(folder, locale):
    files = [folder / (name + ".csv") for name in EXPORTS]
    books = converted(folder, "xlsx", files, locale)
    again = converted(folder, "csv", books, locale)
    for file, book, back in zip(files, books, again, strict=True):
        wanted = table(file)
        assert cells(book) == wanted, book
        assert table(back) == wanted, back
    spring, autumn, utc = [[row[0] for row in table(folder / (name + ".csv"))[1:]]
                           for name in ("spring", "autumn", "utc")]
    assert len(spring) == 4 * 48 and len(autumn) == len(utc) == 3 * 48
    for starts, first in ((spring, FIRST), (autumn, AUTUMN), (utc, AUTUMN)):
        assert [datetime.fromisoformat(text).timestamp() for text in starts] == [
            first + 1800 * i for i in range(len(starts))]
    assert {text[-6:] for text in spring} == {text[-6:] for text in autumn} == {"+01:00", "+02:00"}
    assert {text[-1] for text in utc} == {"Z"}
    days = table(folder / "days.csv")  # all that can go wrong is in it
    assert max(row[days[0].index("import_wh")] for row in days[1:]) > 5_000_000_000
    assert {row[days[0].index("export_wh")] is None for row in days[1:]} == {True, False}
