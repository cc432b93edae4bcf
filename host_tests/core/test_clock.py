# SPDX-License-Identifier: MIT
"""Civil time → UTC by POSIX rules. (`host_tests/test_decoding.py` compares with the tz database.)"""

from wattport import posixzone
from wattport.clock import days, month_length, seconds

# last Sundays of March and October, the days of change in the European Union (Directive 2000/84/EC)
CHANGES = ((2015, 29, 25), (2016, 27, 30), (2019, 31, 27), (2020, 29, 25), (2021, 28, 31), (2022, 27, 30),
           (2023, 26, 29), (2024, 31, 27), (2025, 30, 26), (2026, 29, 25), (2027, 28, 31), (2028, 26, 29),
           (2033, 27, 30), (2038, 28, 31))
CET = "CET-1CEST,M3.5.0,M10.5.0/3"
EET = "EET-2EEST,M3.5.0/3,M10.5.0/4"
WET = "WET0WEST,M3.5.0/1,M10.5.0"


def refused(function, *arguments):
    try:
        function(*arguments)
    except ValueError:
        return True
    return False


def test_days_are_counted_over_leap_years_and_centuries():
    assert days(1970, 1, 1) == 0
    assert days(2000, 2, 29) == 11016 and days(2000, 3, 1) == 11017
    assert days(2023, 6, 15) == 19523
    assert days(2024, 2, 29) + 1 == days(2024, 3, 1)
    assert days(2023, 2, 28) + 1 == days(2023, 3, 1)
    assert days(2099, 12, 31) == 47481
    for year in range(2000, 2099):
        assert days(year + 1, 1, 1) - days(year, 1, 1) == (366 if year % 4 == 0 else 365)
        for month in range(1, 12):
            assert days(year, month + 1, 1) - days(year, month, 1) == month_length(year, month)


def test_seconds_are_exact_where_32_bits_end():
    assert seconds(2000, 1, 1, 0, 0, 0) == 946684800
    assert seconds(2004, 1, 10, 13, 37, 4) == 0x40000000
    assert seconds(2038, 1, 19, 3, 14, 7) == 0x7FFFFFFF
    assert seconds(2038, 1, 19, 3, 14, 8) == 0x80000000
    assert seconds(2099, 12, 31, 23, 59, 59) == 4102444799


def test_what_is_no_date_or_time_is_refused():
    for fields in ((1999, 12, 31, 0, 0, 0), (2100, 1, 1, 0, 0, 0), (2023, 0, 1, 0, 0, 0), (2023, 13, 1, 0, 0, 0),
                   (2023, 1, 0, 0, 0, 0), (2023, 1, 32, 0, 0, 0), (2023, 2, 29, 0, 0, 0), (2024, 2, 30, 0, 0, 0),
                   (2023, 4, 31, 0, 0, 0), (2023, 1, 1, 24, 0, 0), (2023, 1, 1, 0, 60, 0), (2023, 1, 1, 0, 0, 60),
                   (2023, 1, 1, -1, 0, 0), (2023, 1, 1, 0, -1, 0), (2023, 1, 1, 0, 0, -1),
                   (65535, 255, 255, 255, 255, 0)):
        assert refused(seconds, *fields), fields
        assert refused(posixzone.parse(CET).utc, *fields), fields


def test_summer_time_starts_and_ends_on_the_last_sundays():
    for text, standard, hour in ((CET, 1, 2), (EET, 2, 3), (WET, 0, 1)):
        zone = posixzone.parse(text)
        for year, march, october in CHANGES:
            # the second before the change, the first of summer time, the last one, the first of standard time
            for month, day, h, m, s, offset in (
                    (3, march, hour - 1, 59, 59, standard), (3, march, hour + 1, 0, 0, standard + 1),
                    (10, october, hour, 59, 59, standard + 1), (10, october, hour + 1, 0, 0, standard),
                    (1, 1, 0, 0, 0, standard), (7, 1, 12, 0, 0, standard + 1), (12, 31, 23, 59, 59, standard)):
                assert zone.utc(year, month, day, h, m, s) == seconds(year, month, day, h, m, s) - offset * 3600, (
                    text, year, month, day, h)


def test_the_hour_that_comes_twice_is_the_first_one_unless_said_otherwise():
    zone = posixzone.parse(CET)
    first = seconds(2023, 10, 29, 0, 30, 0)
    assert zone.utc(2023, 10, 29, 2, 30, 0) == first
    assert zone.utc(2023, 10, 29, 2, 30, 0, True) == first
    assert zone.utc(2023, 10, 29, 2, 30, 0, False) == first + 3600
    assert zone.utc(2023, 10, 29, 2, 30, 0, None, True) == first + 3600
    for month, day, hour in ((10, 29, 1), (10, 29, 3), (3, 26, 1), (3, 26, 3), (7, 1, 0), (1, 1, 0)):
        assert zone.utc(2023, month, day, hour, 59, 59, None, True) == zone.utc(2023, month, day, hour, 59, 59)


def test_zones_are_read_as_posix_writes_them():
    for text, standard, summer in (
            ("UTC0", 0, 0), ("CET-1", 3600, 3600), (CET, 3600, 7200), (EET, 7200, 10800), (WET, 0, 3600),
            ("EST5EDT,M3.2.0,M11.1.0", -18000, -14400), ("NST3:30NDT,M3.2.0,M11.1.0", -12600, -9000),
            ("<+0530>-5:30", 19800, 19800), ("<-03>3<-02>,M3.5.0/-2,M10.5.0/-1", -10800, -7200),
            ("IST-1GMT0,M10.5.0,M3.5.0/1", 3600, 0), ("AEST-10AEDT,M10.1.0,M4.1.0/3", 36000, 39600),
            ("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", 37800, 39600), ("XXX+1:02:03", -3723, -3723)):
        zone = posixzone.parse(text)
        assert (zone.standard, zone.summer) == (standard, summer), text


def test_summer_over_new_year_is_summer_time_in_the_south():
    zone = posixzone.parse("AEST-10AEDT,M10.1.0,M4.1.0/3")
    for month, offset in ((1, 11), (3, 11), (5, 10), (7, 10), (9, 10), (11, 11), (12, 11)):
        assert zone.utc(2023, month, 15, 12, 0, 0) == seconds(2023, month, 15, 12, 0, 0) - offset * 3600, month


def test_what_is_no_posix_zone_is_refused():
    for text in ("", "C", "CE-1", "CET", "CET-", "-1", "CET-1CEST", "CET-1CEST,M3.5.0", "CET-1CEST,M3.5.0,",
                 "CET-1,M3.5.0",
                 "CET-1CEST,M13.5.0,M10.5.0", "CET-1CEST,M0.5.0,M10.5.0", "CET-1CEST,M3.6.0,M10.5.0", "Europe/Paris",
                 "CET-1CEST,M3.5.7,M10.5.0", "CET-1CEST,M3.5,M10.5.0", "CET-1CEST,M3.5.0.1,M10.5.0", "CET-1CEST,,",
                 "CET-1CEST,J60,J300", "CET-1CEST,M3.5.0,M10.5.0,M1.1.1", "CET-1CEST,M3.5.0/,M10.5.0/x", "CET-x",
                 "CET-1CEST,A3.5.0,M10.5.0", "<CET-1", "CET-1 CEST,M3.5.0,M10.5.0"):
        try:
            zone = posixzone.parse(text)
        except ValueError:
            continue
        raise AssertionError((text, zone.standard, zone.summer))
