# SPDX-License-Identifier: MIT
"""The simulated COSEM meters: their bytes are built as those of real meters are."""

import json
import random
import subprocess
import sys

import pytest

from host_tests import layers
from tools import meter as program
from tools import meters
from tools.meters import central, cosem, dlms, faults, nordic
from tools.meters.clock import Clock
from tools.paths import ROOT

NAMES = sorted(name for name, family in meters.FAMILIES.items() if isinstance(family, cosem.Cosem))
SUMMER = Clock("Europe/Vienna").parse("2026-06-15T12:00")
KEY, AUTH_KEY = bytes(range(16)), bytes(range(0x10, 0x20))


def real(telegrams, name):
    """(bytes, {"key", "auth_key"}) of a real telegram."""
    sidecar = json.loads((telegrams / (name + ".json")).read_text())
    keys = {key: bytes.fromhex(sidecar[key]) if sidecar.get(key) else None for key in ("key", "auth_key")}
    return (telegrams / (name + ".bin")).read_bytes(), keys


def content(meter, telegram):
    return layers.opened(layers.unwrapped(telegram), meter.state.key, meter.state.auth_key)


# family, seconds from the hour at which its list is due, a real telegram of the same kind
REAL = (
    ("aidon", 2, "dlms-hdlc-aidon-mini-hass-ams"), ("aidon", 0, "dlms-hdlc-aidon-6534-394-frames-amsreader"),
    ("kaifa", 2, "dlms-hdlc-kaifa-roarfred-len41"), ("kaifa-it", 20, "dlms-hdlc-kaifa-roarfred-len123"),
    ("kaifa-it", 10, "dlms-hdlc-kaifa-roarfred-len157"), ("kaifa-se", 0, "dlms-hdlc-kaifa-ma304h4-se-hass-ams"),
    ("sagemcom-at", 0, "dlms-mbus-encrypted-sagemcom-t210-d-evn-0001ca1d-energyagent"),
    ("e450", 0, "dlms-gbt-landis-e450-energyagent-62f13a"),
    ("e450-graz", 0, "dlms-gbt-hdlc-landis-gyr-e450-dlms-parser"),
    ("wien", 0, "dlms-hdlc-encrypted-iskraemeco-am550-wiener-netze"),
    ("burgenland", 0, "dlms-hdlc-encrypted-landis-gyr-e450-gh501-1-amsreader"),
    ("am550-at", 0, "dlms-hdlc-encrypted-shrdzm-am550-00db0849"),
    ("am550-si", 5, "dlms-hdlc-iskraemeco-am550-gh956-1-amsreader"),
    ("am550-si", 0, "dlms-hdlc-iskraemeco-am550-gh956-2-amsreader"),
    ("am550-celje", 0, "dlms-hdlc-iskraemeco-am550-gh615-8-amsreader"),
)
# without frames around them
BARE = (("aidon-it", 0, "dlms-llc-aidon-no-list-3-amshan"), ("aidon-it", 10, "dlms-llc-aidon-no-list-2-amshan"),
        ("aidon-se", 0, "dlms-llc-aidon-se-list-amshan"), ("kaifa-at", 0, "dlms-llc-raw-salzburg-netz-dlms-parser"),
        ("e450-ch", 0, "dlms-llc-landis-gyr-e450-gh934-1-amsreader"),
        ("ie5-hr", 0, "dlms-llc-iskraemeco-ie-5-td1-gh1072-4-amsreader"))


def summer(notification):
    """The same skeleton whatever the season: deviations differ."""
    (tagged, size, rest), *items = layers.skeleton(notification)
    return [(tagged, size, rest[:1]), *items]


@pytest.mark.parametrize("name, second, like", REAL + BARE)
def test_a_list_has_the_layout_of_a_real_one(telegrams, name, second, like):
    meter = meters.make(name, start=SUMMER + second)
    telegram, _ = meter.next()
    theirs, keys = real(telegrams, like)
    if (name, second, like) in BARE:
        theirs = theirs.removeprefix(dlms.LLC)
    else:
        theirs = layers.opened(layers.unwrapped(theirs), keys["key"])
    assert summer(content(meter, telegram)) == summer(theirs)


# wrapping → real telegrams that it makes byte for byte out of what they hold
WRAPPED = (
    (nordic.AIDON.wrap, "dlms-hdlc-aidon-6534-394-frames-amsreader"),
    (nordic.KAIFA.wrap, "dlms-hdlc-kaifa-roarfred-len157"),
    (nordic.KAIFA_SE.wrap, "dlms-hdlc-kaifa-ma304h4-se-hass-ams"),
    (central.SAGEMCOM_AT.wrap, "dlms-mbus-encrypted-sagemcom-t210-d-5341475905ed3312-fkw9"),
    (central.SAGEMCOM_AT.wrap, "dlms-mbus-encrypted-sagemcom-t210-d-girsigit"),
    (central.KAIFA_AT.wrap, "dlms-mbus-encrypted-kaifa-tinetz-example-fneur"),
    (central.KAIFA_NOE.wrap, "dlms-mbus-encrypted-sagemcom-t210-d-evn-000e87e1-energyagent"),
    (central.E450_AT.wrap, "dlms-gbt-landis-e450-energyagent-62f13a"),
    (central.E450_GRAZ.wrap, "dlms-gbt-hdlc-landis-gyr-e450-dlms-parser"),
    (central.WIEN.wrap, "dlms-hdlc-encrypted-iskraemeco-am550-wiener-netze"),
    (central.BURGENLAND.wrap, "dlms-hdlc-encrypted-landis-gyr-e450-gh501-1-amsreader"),
    (central.LJUBLJANA.wrap, "dlms-hdlc-iskraemeco-am550-gh956-1-amsreader"),
    (central.DED.wrap, "dlms-hdlc-encrypted-sim-hdlc-ha-smartmeter-at"),
)


@pytest.mark.parametrize("wrap, name", WRAPPED)
def test_what_a_real_telegram_holds_is_wrapped_to_the_same_bytes(telegrams, wrap, name):
    telegram, _ = real(telegrams, name)
    assert wrap(layers.unwrapped(telegram)) == telegram


def test_segments_of_an_iskraemeco_are_marked_as_real_ones_are(telegrams):
    """The first segment of a Croatian meter, and the headers of the other two that a Swiss one was seen with."""
    first, _ = real(telegrams, "dlms-hdlc-iskraemeco-ie-5-td1-gh1072-1-amsreader")
    parts = dlms.split(central.ISK_SEGMENTS(first[12:-3] + bytes(25)))
    assert parts[0] == first and parts[1][:9] == bytes.fromhex("7ea023cf022313c91d")
    parts = dlms.split(central.ISK_SEGMENTS(bytes(154 * 2 + 35 - 3)))
    assert [part[:9].hex() for part in parts] == ["7ea8a4cf0223039996"] * 2 + ["7ea02dcf022313717c"]


@pytest.mark.parametrize("name", [
    "dlms-mbus-encrypted-sagemcom-t210-d-5341475905ed3312-fkw9", "dlms-mbus-encrypted-kaifa-tinetz-example-fneur",
    "dlms-gbt-hdlc-landis-gyr-e450-dlms-parser", "dlms-gbt-hdlc-lgz-e450-2-dlms-parser",
    "dlms-hdlc-encrypted-landis-gyr-e450-gh501-1-amsreader", "dlms-hdlc-encrypted-landis-gyr-e450-gh501-2-amsreader",
    "dlms-hdlc-encrypted-iskraemeco-am550-wiener-netze", "dlms-hdlc-encrypted-hdlc-kamstrup-omnipower-dlms-parser"])
def test_what_a_real_meter_has_sealed_is_sealed_to_the_same_bytes(telegrams, name):
    telegram, keys = real(telegrams, name)
    envelope = layers.unwrapped(telegram)
    tag, title, security, counter, _, wide = layers.sealed(envelope)
    plain = layers.opened(envelope, keys["key"], keys["auth_key"])
    assert plain[0] == 0x0F
    assert dlms.seal(plain, keys["key"], keys["auth_key"], title, counter, security, tag, wide) == envelope


@pytest.mark.parametrize("name", NAMES)
def test_a_telegram_opens_layer_by_layer_and_its_tag_fits(name):
    meter = meters.make(name, start=SUMMER)
    counters = []
    for _ in range(4):
        telegram, expected = meter.next()
        envelope = layers.unwrapped(telegram)
        if meter.state.key:
            tag, _, security, counter, _, _ = layers.sealed(envelope)
            assert (tag, security) == (meter.family.tag, meter.family.security)
            counters.append(counter)
        notification = content(meter, telegram)
        layers.skeleton(notification)
        assert b"".join(meter.family.parts(telegram)) == telegram and expected
    assert counters == sorted(set(counters))


@pytest.mark.parametrize("name, sizes", [
    ("aidon", [396]), ("aidon-se", [581]), ("kaifa", [123]), ("kaifa-se", [287]), ("sagemcom-at", [263, 19]),
    ("kaifa-noe", [256, 26]), ("im350-at", [123]), ("e450-cy", [141, 141, 114]),
    ("kaifa-at", [256, 120]), ("e450", [141, 141, 141, 122]), ("e450-graz", [141, 141, 50]),
    ("e450-ch", [141, 141, 113]), ("wien", [105]), ("burgenland", [120]), ("am550-at", [121]),
    ("am550-si", [109]), ("am550-celje", [98]),
    ("am550-ch", [166, 166, 47]), ("ie5-hr", [166, 37]), ("ded", [139, 139, 90])])
def test_a_telegram_is_sent_in_frames_of_the_known_sizes(name, sizes):
    meter = meters.make(name, start=SUMMER)
    assert [len(part) for part in meter.family.parts(meter.next()[0])] == sizes


@pytest.mark.parametrize("name, lists", [
    ("aidon", {396: 3600, 288: 10, 44: None}), ("kaifa", {157: 3600, 123: 10, 41: None}),
    ("am550-si", {109: 900, 131: 5})])
def test_short_lists_come_often_and_long_ones_seldom(name, lists):
    meter = meters.make(name, start=SUMMER - 60)
    seen = {}
    for _ in range(3000):
        telegram, _ = meter.next()
        seen.setdefault(len(telegram), []).append(meter.time)
    assert set(seen) == set(lists)
    whole = sorted(time for times in seen.values() for time in times)
    assert len(set(whole)) == 3000
    for size, period in lists.items():
        if period:
            offsets = {time % period for time in seen[size]}
            assert len(offsets) <= period // 5 and (period != 3600 or len(offsets) == 1)


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_checksum_is_in_one_of_the_frames(name):
    meter, chance = meters.make(name, start=SUMMER), random.Random(1)
    hit = set()
    for _ in range(40):
        telegram, _ = meter.next()
        parts = meter.family.parts(telegram)
        spoilt = meter.family.parts(meter.family.spoil(telegram, chance))
        wrong = [index for index in range(len(parts)) if parts[index] != spoilt[index]]
        assert len(wrong) == 1
        with pytest.raises(AssertionError):
            list(layers.frames(spoilt[wrong[0]]))
        hit.update(wrong)
    assert hit == set(range(len(parts)))


@pytest.mark.parametrize("name", ["kaifa", "e450-graz", "burgenland", "e450-ch"])
def test_a_wall_clock_without_a_season_promises_no_time_in_the_hour_that_comes_twice(name):
    twice = Clock("Europe/Vienna").parse("2026-10-25T02:30")
    for start, told in ((twice, False), (twice + 3600, False), (twice - 3600, True), (twice + 7200, True)):
        assert ("time" in meters.make(name, start=start).next()[1]) is told


@pytest.mark.parametrize("form, season, expected", [
    ("standard", "06-15", "07ea060f010b0000ff800000"), ("zero", "06-15", "07ea060f010b0000ff000000"),
    ("unknown", "06-15", "07ea060f010b0000ff8000ff"), ("fixed", "06-15", "07ea060f010b0000ffffc400"),
    ("wall", "06-15", "07ea060f010c0000ff800000"), ("summer", "06-15", "07ea060f010c0000ff800081"),
    ("full", "06-15", "07ea060f010c000000ff8880"), ("full", "01-15", "07ea010f040c000000ffc400"),
    ("summer", "01-15", "07ea010f040c0000ff800001"), ("zero", "01-15", "07ea010f040c0000ff000000")])
def test_a_clock_is_written_as_its_maker_does(form, season, expected):
    clock = Clock("Europe/Vienna")
    assert clock.cosem(clock.parse("2026-%sT12:00" % season), form).hex() == expected


@pytest.mark.parametrize("name, options", [
    ("aidon", {"key": KEY}), ("wien", {"auth_key": AUTH_KEY}), ("am550-ch", {"auth_key": AUTH_KEY}),
    ("kamstrup-se", {"key": KEY, "auth_key": AUTH_KEY}), ("burgenland", {"phases": 1}), ("e450", {"key": KEY[:8]})])
def test_what_a_meter_does_not_have_is_refused(name, options):
    with pytest.raises(ValueError):
        meters.make(name, start=SUMMER, **options)


def test_a_swiss_iskraemeco_encrypts_when_it_has_a_key():
    clear, closed = (meters.make("am550-ch", start=SUMMER, key=key) for key in (None, KEY))
    (plain, reading), (secret, same) = clear.next(), closed.next()
    assert reading == same and layers.unwrapped(secret)[0] == 0xDB
    assert content(closed, secret) == content(clear, plain)


def test_the_help_names_the_keys_that_a_meter_has_by_itself(capsys):
    with pytest.raises(SystemExit):
        program.arguments(["--help"])
    text = " ".join(capsys.readouterr().out.split())
    for family in meters.FAMILIES.values():
        for key in (family.default_key, family.default_auth_key):
            assert not key or key.hex() in text
    assert "wien" in text.partition(central.KEY.hex())[2]


@pytest.mark.parametrize("name, keys", [
    ("wien", "key %s\n" % central.KEY.hex()), ("aidon", ""),
    ("e450", "key %s, authentication key %s\n" % (central.KEY.hex(), central.AUTH_KEY.hex()))])
def test_the_keys_in_use_are_told_to_the_person_at_the_screen(name, keys):
    done = subprocess.run([sys.executable, "-m", "tools.meter", "--family", name, "--count", "1", "--rate", "0", "-"],
                          cwd=ROOT, capture_output=True)
    assert done.returncode == 0 and done.stdout
    assert done.stderr.decode().partition("\n")[2] == keys


@pytest.mark.parametrize("kind, lengths", [("lost", {141 + 141 + 122, 3 * 141}),
                                           ("twice", {545 + 141, 545 + 122})])
def test_one_frame_of_several_is_lost_or_repeated(kind, lengths):
    faulty = faults.Faulty(meters.make("e450", start=SUMMER), [(kind, 1)])
    seen = set()
    for _ in range(40):
        delivery = faulty.next()
        assert delivery.kinds == (kind,) and not delivery.intact
        seen.add(len(delivery.data))
        parts = dlms.split(delivery.data)
        assert len(set(parts)) == {"lost": 3, "twice": 4}[kind] and len(parts) == {"lost": 3, "twice": 5}[kind]
    assert seen == lengths
