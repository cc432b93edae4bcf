# SPDX-License-Identifier: MIT
from wattport import posixzone
from wattport.midnight import get
from wattport.today import Today

ZONE = posixzone.parse("CET-1CEST,M3.5.0,M10.5.0/3")
MIDNIGHT = 1_759_960_800  # 2025-10-09 00:00 in Central Europe
DAY = 86400


def reading(imported, exported=None, own_id="E0012"):
    made = {"import_wh": imported, "meter_id": own_id}
    if exported is not None:
        made["export_wh"] = exported
    return made


def day_of(kept, *telegrams):
    """A dongle that started 100 s before the first (UTC, Reading): (Today, [what it wanted to keep])."""
    today = Today(ZONE, kept)
    texts = []
    for utc, one in telegrams:
        text = today.take(one, utc, utc - telegrams[0][0] + 100)
        if text is not None:
            texts.append(text)
    return today, texts


def test_the_day_begins_with_the_first_telegram_behind_midnight():
    today, texts = day_of("", (MIDNIGHT - 20, reading(1000, 50)), (MIDNIGHT - 10, reading(1001, 50)),
                          (MIDNIGHT + 900, reading(1002, 50)), (MIDNIGHT + 3600, reading(1502, 70)))
    assert get(today, MIDNIGHT + 3600) == {"import_wh": 500, "export_wh": 20, "since": MIDNIGHT}
    assert texts[-1] == "%d %d 1002 50 E0012\n" % (MIDNIGHT, MIDNIGHT)
    assert len(texts) == 2


def test_a_day_is_written_once():
    telegrams = [(MIDNIGHT - 3600 + 100 * i, reading(1000 + i, 7)) for i in range(2 * 864)]
    assert len(day_of("", *telegrams)[1]) == 3


def test_what_was_kept_survives_a_restart():
    kept = day_of("", (MIDNIGHT - 10, reading(1000, 3)), (MIDNIGHT, reading(1001, 3)),
                  (MIDNIGHT + 950, reading(1002, 3)))[1][-1]
    today, texts = day_of(kept, (MIDNIGHT + 7200, reading(1500, 4)), (MIDNIGHT + 7210, reading(1501, 4)))
    assert get(today, MIDNIGHT + 7210) == {"import_wh": 500, "export_wh": 1, "since": MIDNIGHT}
    assert texts == []


def test_a_dongle_that_was_off_at_midnight_says_since_when_it_counts():
    kept = "%d %d 1000 - E0012\n" % (MIDNIGHT - DAY, MIDNIGHT - DAY)
    today, texts = day_of(kept, (MIDNIGHT + 7200, reading(1500)), (MIDNIGHT + 7300, reading(1600)))
    assert get(today, MIDNIGHT + 7300) == {"import_wh": 100, "export_wh": None, "since": MIDNIGHT + 7200}
    assert texts == ["%d %d 1500 - E0012\n" % (MIDNIGHT, MIDNIGHT + 7200)]


def test_a_meter_that_was_silent_for_hours_over_midnight_counts_from_its_return():
    today, _ = day_of("", (MIDNIGHT - 9000, reading(1000)), (MIDNIGHT + 9000, reading(3000)),
                      (MIDNIGHT + 9010, reading(3001)))
    assert get(today, MIDNIGHT + 9010) == {"import_wh": 1, "export_wh": None, "since": MIDNIGHT + 9000}


def test_registers_once_an_hour_make_whole_days():
    telegrams = [(MIDNIGHT - 3600 + 3600 * i + 10, reading(1000 + 100 * i)) for i in range(26)]
    today, _ = day_of("", *telegrams[:4])
    assert get(today, MIDNIGHT + 8000)["import_wh"] == 200
    today, _ = day_of("", *telegrams)
    assert get(today, MIDNIGHT + DAY + 30) == {"import_wh": 0, "export_wh": None, "since": MIDNIGHT + DAY}


def test_another_meter_or_one_that_was_reset_starts_anew():
    for swapped in (reading(5), reading(900000, None, "E9")):
        today, texts = day_of("", (MIDNIGHT + 10, reading(1000)), (MIDNIGHT + 2000, reading(1700)),
                              (MIDNIGHT + 3000, swapped), (MIDNIGHT + 4000, reading(swapped["import_wh"] + 8, None,
                                                                                   swapped["meter_id"])))
        assert get(today, MIDNIGHT + 4000) == {"import_wh": 8, "export_wh": None, "since": MIDNIGHT + 3000}
        assert len(texts) == 2


def test_what_was_kept_of_another_meter_or_of_a_higher_register_does_not_count():
    for first, own_id in ((1000, "OTHER"), (2000, "E0012")):
        kept = "%d %d %d - %s\n" % (MIDNIGHT, MIDNIGHT, first, own_id)
        today, _ = day_of(kept, (MIDNIGHT + 7200, reading(1500)))
        assert get(today, MIDNIGHT + 7200) == {"import_wh": 0, "export_wh": None, "since": MIDNIGHT + 7200}


def test_a_file_that_is_damaged_is_none():
    for kept in ("x", "1 2 3 4", "%d" % MIDNIGHT, "%d %d" % (MIDNIGHT, MIDNIGHT), "%d %d 7" % (MIDNIGHT, MIDNIGHT),
                 "%d %d x y z" % (MIDNIGHT, MIDNIGHT), "%d %d 7 8 E" % (MIDNIGHT, MIDNIGHT + DAY), "\x00\xff",
                 "%d %d 7 8 E" % (MIDNIGHT, MIDNIGHT - 1)):
        today, texts = day_of(kept, (MIDNIGHT + 7200, reading(1500, 5)))
        assert get(today, MIDNIGHT + 7200) == {"import_wh": 0, "export_wh": 0, "since": MIDNIGHT + 7200}, kept
        assert len(texts) == 1


def test_without_a_clock_it_counts_from_the_start_and_knows_when_that_was_as_soon_as_there_is_one():
    today = Today(ZONE, "")
    assert today.take(reading(1000), None, 5) is None
    assert today.take(reading(1100), None, 605) is None
    assert get(today, None) == {"import_wh": 100, "export_wh": None, "since": None}
    assert today.take(reading(1200), MIDNIGHT + 7200, 1205) == "%d %d 1000 - E0012\n" % (MIDNIGHT, MIDNIGHT + 6000)
    assert get(today, MIDNIGHT + 7200) == {"import_wh": 200, "export_wh": None, "since": MIDNIGHT + 6000}


def test_what_came_before_the_clock_was_there_gives_way_to_what_was_kept_or_to_midnight():
    today = Today(ZONE, "%d %d 900 - E0012\n" % (MIDNIGHT, MIDNIGHT))
    today.take(reading(1000), None, 5)
    assert today.take(reading(1100), MIDNIGHT + 7200, 605) is None
    assert get(today, MIDNIGHT + 7200) == {"import_wh": 200, "export_wh": None, "since": MIDNIGHT}
    today = Today(ZONE, "")
    today.take(reading(1000), None, 5)
    today.take(reading(1100), MIDNIGHT + 300, 605)
    assert get(today, MIDNIGHT + 300) == {"import_wh": 0, "export_wh": None, "since": MIDNIGHT + 300}


def test_behind_midnight_yesterdays_energy_is_not_todays():
    today, _ = day_of("", (MIDNIGHT + 10, reading(1000)), (MIDNIGHT + 3000, reading(1700)))
    assert get(today, MIDNIGHT + DAY) == {"import_wh": None, "export_wh": None, "since": None}


def test_registers_that_come_in_different_telegrams_are_both_counted():
    today, texts = day_of("", (MIDNIGHT + 10, {"import_wh": 10}), (MIDNIGHT + 20, {"export_wh": 20}),
                          (MIDNIGHT + 30, {"power_import_w": 5}), (MIDNIGHT + 1000, {"import_wh": 15}),
                          (MIDNIGHT + 1001, {"export_wh": 28}))
    assert get(today, MIDNIGHT + 1001) == {"import_wh": 5, "export_wh": 8, "since": MIDNIGHT + 10}
    assert texts[-1] == "%d %d 10 20 \n" % (MIDNIGHT, MIDNIGHT + 10)


def test_two_meters_that_take_turns_do_not_wear_the_flash_out():
    telegrams = [(MIDNIGHT + 60 * i, reading(1000 + i, None, "AB"[i % 2])) for i in range(1440)]
    assert len(day_of("", *telegrams)[1]) <= 97


def test_days_of_23_and_25_hours_end_when_they_end():
    for begin, length in ((1_743_289_200, 23), (1_761_429_600, 25)):  # 2025-03-30 and 2025-10-26
        telegrams = [(begin - 3600 + 600 * i, reading(1000 + i)) for i in range(6 * (length + 1) + 1)]
        today, _ = day_of("", *telegrams[:-1])
        assert get(today, begin + length * 3600 - 600) == {
            "import_wh": 6 * length - 1, "export_wh": None, "since": begin}
        today, _ = day_of("", *telegrams)
        assert get(today, begin + length * 3600) == {
            "import_wh": 0, "export_wh": None, "since": begin + length * 3600}


def test_a_clock_that_steps_back_over_midnight_starts_a_day():
    today, _ = day_of("", (MIDNIGHT - 10, reading(1000)), (MIDNIGHT + 10, reading(1100)))
    today.take(reading(1200), MIDNIGHT - 3600, 130)
    today.take(reading(1300), MIDNIGHT - 3500, 230)
    assert get(today, MIDNIGHT - 3500) == {"import_wh": 100, "export_wh": None, "since": MIDNIGHT - 3600}
