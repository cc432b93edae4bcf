# SPDX-License-Identifier: MIT
"""What amshan and gurux-dlms make of COSEM telegrams, real and simulated, against what we do: every quantity agrees, or
the reason stands here.

gurux-dlms knows COSEM but no meter: it gives trees of values. What they mean is said here once more, in `fields`,
from the makers' documents and with the simulator's table of codes, not with the decoder's. It stands under the GPL: it
judges our results in tests and is no part of what ships."""

import json

import pytest
from gurux_dlms import GXByteBuffer, GXReplyData
from gurux_dlms.enums import Authentication, InterfaceType
from gurux_dlms.secure import GXDLMSSecureClient
from han import autodecoder, hdlc

from host_tests import layers
from tools import cpython, meters
from tools.meters import cosem
from tools.paths import TELEGRAMS

cpython.install()

from tools.decoder import Decoder  # noqa: E402

START = 1_686_823_180
MANY = ("e450-cy", "aidon", "aidon-it", "kaifa", "kaifa-it", "am550-si", "kamstrup", "kamstrup-se")  # have more lists
EXPONENTS = {field.rsplit("_", 1)[-1]: -exponent for field, exponent in (
    ("x_ma", -3), ("x_mv", -3), ("x_mhz", -3), ("x_milli", -3))}


def ours(data, key=None, auth_key=None):
    """(readings, errors) of a stream, as `tools.decode` has them on CPython."""
    lines = []
    keys = {name: value.hex() for name, value in (("key", key), ("auth_key", auth_key)) if value}
    decoder = Decoder(keys, lambda text: lines.append(json.loads(text)), data[:32])
    decoder.meter.feed(data, len(data))
    decoder.finish()
    return ([line["reading"] for line in lines if "reading" in line],
            [line["error"] for line in lines if "error" in line])


def decodable():
    """Real telegrams with a reading in them: (name, bytes, key, authentication key)."""
    for path in sorted(TELEGRAMS.glob("dlms*.json")) if TELEGRAMS.is_dir() else ():
        sidecar = json.loads(path.read_text())
        if sidecar["expect"] == "reading":
            keys = [bytes.fromhex(sidecar[key]) if sidecar.get(key) else None for key in ("key", "auth_key")]
            yield pytest.param(path.stem, path.with_suffix(".bin").read_bytes(), *keys, id=path.stem)


def simulated(names, count=7):
    """The last of some telegrams of a meter, so that each of its lists is there: (name, bytes, key, authentication
    key, what it holds)."""
    for name in names:
        meter = meters.make(name, seed=3, start=START)
        for index in range(count if name in MANY else 1):
            telegram, expected = meter.next()
            yield pytest.param(name, telegram, meter.state.key, meter.state.auth_key, expected,
                               id="%s-%d" % (name, index))


REAL = list(decodable())
needs_telegrams = pytest.mark.skipif(not REAL, reason="no real telegrams beside this checkout")

# -- gurux-dlms -----------------------------------------------------------------------------------------------------

# a number of three groups C.D.E → the field
FIELDS = {}
for _field in cosem.CODES:
    if _field not in ("current_ma", "voltage_mv", "breaker", "tariff"):
        FIELDS[cosem.CODES[_field]] = _field
for _p, _phase in enumerate(("l1", "l2", "l3"), 1):
    for _field in ("power_import_w", "power_export_w", "reactive_import_var", "reactive_export_var", "current_ma",
                   "voltage_mv", "power_factor_milli", "import_wh", "export_wh"):
        _c, _d, _e = cosem.CODES[_field]
        _start, _, _unit = _field.rpartition("_")
        FIELDS[(_c + 20 * _p, _d, _e)] = "%s_%s_%s" % (_start, _phase, _unit)

# Units of lists that don't say theirs, base units in one: by end of the field's name
KAMSTRUP = {"mv": 1000, "ma": 10, "milli": 10, "wh": 10, "varh": 10}
KAMSTRUP_SE = dict(KAMSTRUP, wh=1, varh=1)
KAIFA = {"mv": 100}
E450 = {"mv": 1000, "ma": 10}

POWER = ("power_import_w", "power_export_w")
REACTIVE = ("reactive_import_var", "reactive_export_var")
REGISTERS = ("import_wh", "export_wh")
REACTIVE_REGISTERS = ("reactive_import_varh", "reactive_export_varh")
VOLTAGE, CURRENT = ([stem % phase for phase in ("l1", "l2", "l3")] for stem in ("voltage_%s_mv", "current_%s_ma"))
PHASE_POWER = ["power_%s_%s_w" % (way, phase) for way in ("import", "export") for phase in ("l1", "l2", "l3")]
TARIFFS = [field % way for way in ("import", "export") for field in ("%s_wh", "%s_t1_wh", "%s_t2_wh")]
SKIP = (None,)
ISK = {"mv": 100, "ma": 10}
# lists that go by position: items, and what tells them apart from others of that length → (units, fields)
POSITIONS = (
    (1, lambda v: isinstance(v[0], int), {}, POWER[:1]),
    (9, lambda v: v[0][:3] == b"KFM", KAIFA, (*SKIP * 3, *POWER, *REACTIVE, CURRENT[0], VOLTAGE[0])),
    (13, lambda v: v[0][:3] == b"KFM", KAIFA, (*SKIP * 3, *POWER, *REACTIVE, *CURRENT, *VOLTAGE)),
    (14, lambda v: isinstance(v[0], bytes) and v[0][:3] == b"KFM", KAIFA,
     (*SKIP * 3, *POWER, *REACTIVE, CURRENT[0], VOLTAGE[0], None, *REGISTERS, *REACTIVE_REGISTERS)),
    (18, lambda v: v[0][:3] == b"KFM", KAIFA,
     (*SKIP * 3, *POWER, *REACTIVE, *CURRENT, *VOLTAGE, None, *REGISTERS, *REACTIVE_REGISTERS)),
    (9, lambda v: len(v[0]) == 12, {}, (None, *REGISTERS, *REACTIVE_REGISTERS, *POWER, *REACTIVE)),
    (14, lambda v: isinstance(v[0], int), E450, (*VOLTAGE, *CURRENT, *POWER, *REGISTERS)),
    (12, lambda v: v[0] == bytes((0, 6, 25, 9, 0, 255)), {}, (*SKIP * 4, *REGISTERS, *REACTIVE_REGISTERS, *POWER)),
    (12, lambda v: v[0][:3] == b"ISK" and isinstance(v[3], bytes), {},
     (*SKIP * 2, "breaker", None, *TARIFFS, *REACTIVE_REGISTERS)),
    (12, lambda v: v[0][:3] == b"ISK", ISK, (*SKIP * 2, *VOLTAGE, *CURRENT, *POWER, *REACTIVE)),
    (18, lambda v: v[0][:3] == b"ISK", ISK, (*SKIP * 2, *POWER, *REACTIVE, *VOLTAGE, *CURRENT, *PHASE_POWER)),
    (33, lambda v: isinstance(v[3], int), ISK,
     (*SKIP * 3, *TARIFFS, *SKIP * 4, *POWER, "power_factor_milli", *PHASE_POWER, *VOLTAGE, *CURRENT, "limiter_w",
      *SKIP * 3, "breaker")),
)


class Unread(Exception):
    pass


def gurux(data, key, auth_key, layer):
    """[(tree of values, time of the notification)] that gurux-dlms finds in a stream."""
    client = GXDLMSSecureClient(True, 1, 1, Authentication.NONE, None, layer)
    if key:
        client.ciphering.blockCipherKey = bytearray(key)
    if auth_key:
        client.ciphering.authenticationKey = bytearray(auth_key)
    buffer, reply, pushed, found, before = GXByteBuffer(data), GXReplyData(), GXReplyData(), [], -1
    while buffer.position < buffer.size and buffer.position != before:
        before = buffer.position
        try:
            client.getData(buffer, reply, pushed)
        except Exception as wrong:
            raise Unread("%s: %s" % (type(wrong).__name__, wrong))
        if pushed.isComplete() and not pushed.isMoreData():
            found.append((pushed.value, pushed.time))
            pushed.clear()
            reply.clear()
    if not found:
        raise Unread("nothing")
    return found


def plain(value):
    """Lists, integers, bytes and texts out of gurux' classes for them."""
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    return int(value) if isinstance(value, int) else value


def is_code(value):
    return isinstance(value, bytes) and len(value) == 6 and value[5] == 255


def coded(value):
    """(code, value, scaler or None) of each item that has a code."""
    if not isinstance(value, list):
        return
    if value and isinstance(value[0], list) and value[0] and isinstance(value[0][0], list) and len(value[0][0]) == 4:
        # a list of pushed objects, then their attributes
        for (_, code, attribute, _), item in zip(value[0], value):
            if attribute == 2 and isinstance(item, int):
                yield code, item, None
        return
    for index, item in enumerate(value):
        if is_code(item) and index + 1 < len(value):
            found, scale = value[index + 1], value[index + 2] if index + 2 < len(value) else None
            if isinstance(found, list) and len(found) == 2 and isinstance(found[0], int):
                found, scale = found
            if isinstance(found, int):
                yield item, found, scale[0] if isinstance(scale, list) and len(scale) == 2 else None
        else:
            yield from coded(item)


def base_units(field, number, units, scaler=None):
    end = field.rsplit("_", 1)[-1]
    if scaler is None:
        return number * units.get(end, 1)
    exponent = scaler + EXPONENTS.get(end, 0)
    return number * 10 ** exponent if exponent >= 0 else number // 10 ** -exponent


def fields(tree):
    """{field: integer} of every quantity in gurux' tree of values."""
    values = plain(tree)
    found = {}
    texts = [item.decode("latin-1") if isinstance(item, bytes) else item for item in values
             if isinstance(item, (bytes, str))]
    if "Kamstrup_V0001" in texts:
        units = KAMSTRUP_SE if any(text.startswith("6841131BN245") for text in texts) else KAMSTRUP
    else:
        units = KAIFA if "KFM_001" in texts else E450
    for code, number, scaler in coded(values):
        field = FIELDS.get(tuple(code[2:5]))
        if field:
            found[field] = base_units(field, number, units, scaler)
    if found:
        return found
    for size, is_it, units, names in POSITIONS:
        try:
            fits = len(values) == size and is_it(values)
        except TypeError:
            fits = False
        if fits:
            return {name: base_units(name, number, units) for name, number in zip(names, values) if name}
    return {}


def untagged(notification):
    """A notification whose date has no type in front, as the standard has it: gurux takes the 09 that Kaifa and some
    Kamstrups write there for the date's length."""
    return notification[:5] + notification[6:] if notification[0] == 0x0F and notification[5] == 9 else notification


def gurux_on(data, key, auth_key):
    """By gurux' own HDLC and block transfer where it can; what it cannot unwrap is unwrapped for it."""
    try:
        return gurux(data, key, auth_key, InterfaceType.HDLC)
    except Unread as wrong:
        if data[:1] in (b"\x7e", b"\x68"):
            data = layers.unwrapped(data)
        if data[:3] == b"\xe6\xe7\x00":
            data = data[3:]
        try:
            return gurux(untagged(data), key, auth_key, InterfaceType.PDU)
        except Unread:
            raise wrong


# Real telegrams that gurux-dlms does not read, and why.
GURUX_UNREAD = {
    "dlms-llc-raw-egd-example-dlms-parser": "the document's example does not follow A-XDR to the end",
    "dlms-hdlc-iskraemeco-ie-5-td1-gh1072-1-amsreader": "the first of two segments alone",
}
# and those where it has values with no quantity among them
GURUX_EMPTY = {
    "dlms-llc-raw-energomera-dlms-parser": "a list of objects, no quantity among their values",
}
# Real telegram → fields that differ, and why.
GURUX_DIFFERS = {}


def differing(theirs, reading):
    return {name: (value, reading.get(name)) for name, value in theirs.items() if reading.get(name) != value}


@needs_telegrams
@pytest.mark.parametrize("name, data, key, auth_key", REAL)
def test_gurux_reads_the_same_from_a_real_telegram(name, data, key, auth_key):
    if name in GURUX_UNREAD:
        with pytest.raises((Unread, AssertionError)):
            gurux_on(data, key, auth_key)
        return
    theirs = gurux_on(data, key, auth_key)
    readings, errors = ours(data, key, auth_key)
    found = [fields(tree) for tree, _ in theirs]
    if name in GURUX_EMPTY:
        assert not any(found)
        return
    assert len(readings) == len(found), errors
    for reading, quantities, (_, stamp) in zip(readings, found, theirs):
        assert quantities
        assert differing(quantities, reading) == GURUX_DIFFERS.get(name, ({},))[0]
        if stamp and stamp.value.utcoffset() is not None:
            assert reading["time"] == stamp.value.timestamp()


COSEM = sorted(name for name, family in meters.FAMILIES.items()
               if isinstance(family, cosem.Cosem) or name.startswith("kamstrup"))


@pytest.mark.parametrize("name, data, key, auth_key, expected", list(simulated(COSEM)))
def test_gurux_reads_the_same_from_a_simulated_telegram(name, data, key, auth_key, expected):
    (tree, stamp), = gurux_on(data, key, auth_key)
    quantities = fields(tree)
    (reading,), _ = ours(data, key, auth_key)
    assert not differing(quantities, reading)
    # nothing that the simulator put in is lost on the way to this comparison
    lost = {field for field in expected if field.rsplit("_", 1)[-1] in (
        "w", "wh", "var", "varh", "ma", "mv")} - set(quantities)
    assert not lost, lost
    if stamp and stamp.value.utcoffset() is not None:
        assert reading["time"] == stamp.value.timestamp() == expected["time"]


# -- amshan ---------------------------------------------------------------------------------------------------------

AMSHAN = {"power_factor": ("power_factor_milli", 1000)}
for _way, _ours in (("active_power_import", "power_import%s_w"), ("active_power_export", "power_export%s_w"),
                    ("reactive_power_import", "reactive_import%s_var"),
                    ("reactive_power_export", "reactive_export%s_var")):
    for _phase in ("", "_l1", "_l2", "_l3"):
        AMSHAN[_way + _phase] = _ours % _phase, 1
    AMSHAN[_way + "_total"] = _ours.removeprefix("power_").rpartition("%s_")[0] + (
        "_varh" if _ours.endswith("var") else "_wh"), 1
for _phase in ("l1", "l2", "l3"):
    AMSHAN["current_" + _phase] = "current_%s_ma" % _phase, 1000
    AMSHAN["voltage_" + _phase] = "voltage_%s_mv" % _phase, 1000
    AMSHAN["power_factor_" + _phase] = "power_factor_%s_milli" % _phase, 1000

# Real telegrams that amshan reads as what they are not, or not at all, by what their names hold, and why.
AMSHAN_UNREAD = {
    "encrypted": "it does not decrypt", "gbt": "it knows no block transfer", "mbus": "it knows no M-Bus frames",
    "iskraemeco": "it knows no list of Iskraemeco's, and takes some for Kaifa's",
    "landis-gyr": "it knows no list of Landis+Gyr's", "egd": "nor EG.D's", "energomera": "nor Energomera's",
    "salzburg": "nor Kaifa's of Austria", "ma309mh4lat1": "nor Kaifa's of Austria",
    "kamstrup-v0001-gh216-1": "a Danish list in the clear: KeyError on its meter number",
    "ma304t4-gh242-4": "a current transformer's registers of eight bytes",
}
# Swedish Kamstrups send Wh, and it multiplies by ten as for Norwegian ones; with gh239-2 that was a bug report
AMSHAN_DIFFERS = {
    "dlms-hdlc-kamstrup-6841131bn245101092-gh239-2-amsreader": ["import_wh", "reactive_export_varh",
                                                                "reactive_import_varh"]}


def amshan(data):
    """Every good frame of a stream as {our field: integer}, None for one that amshan does not know."""
    decoder = autodecoder.AutoDecoder()
    if data[:1] == b"\x7e":
        found = [decoder.decode_message(frame) for frame in hdlc.HdlcFrameReader(False).read(data) if frame.is_valid]
    else:
        found = [decoder.decode_message_payload(data)]
    return [values and {AMSHAN[name][0]: round(value * AMSHAN[name][1]) for name, value in values.items()
                        if name in AMSHAN} for values in found]


@needs_telegrams
@pytest.mark.parametrize("name, data, key, auth_key", [
    case for case in REAL if not any(part in case.values[0] for part in AMSHAN_UNREAD)])
def test_amshan_reads_the_same_from_a_real_telegram(name, data, key, auth_key):
    theirs = amshan(data)
    readings, errors = ours(data)
    assert len(readings) == len(theirs), errors
    for reading, quantities in zip(readings, theirs):
        assert quantities
        assert sorted(differing(quantities, reading)) == AMSHAN_DIFFERS.get(name, [])


@needs_telegrams
@pytest.mark.parametrize("name, data, key, auth_key", [
    case for case in REAL if any(part in case.values[0] for part in AMSHAN_UNREAD)])
def test_amshan_does_not_read_what_it_is_said_not_to(name, data, key, auth_key):
    try:
        theirs = amshan(data)
    except (KeyError, IndexError, AttributeError, TypeError):
        return
    readings, _ = ours(data, key, auth_key)
    assert len(theirs) != len(readings) or any(
        not quantities or differing(quantities, reading) for quantities, reading in zip(theirs, readings))


@pytest.mark.parametrize("name, data, key, auth_key, expected", list(simulated(
    ("aidon", "aidon-it", "aidon-se", "kaifa", "kaifa-it", "kaifa-se", "kamstrup", "kamstrup-se"))))
def test_amshan_reads_the_same_from_a_simulated_telegram(name, data, key, auth_key, expected):
    (quantities,), ((reading,), _) = amshan(data), ours(data)
    if name == "kamstrup-se":  # see AMSHAN_DIFFERS
        for field in set(REGISTERS + REACTIVE_REGISTERS) & set(quantities):
            quantities[field] //= 10
    assert quantities and not differing(quantities, expected) and not differing(quantities, reading)
