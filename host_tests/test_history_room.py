# SPDX-License-Identifier: MIT
"""Thirteen months are kept of a household with all that a meter can count, in the room that the flash has."""

from tools import cpython

cpython.install()

from tools.bench import history as household  # noqa: E402
from wattport.history import place, store  # noqa: E402

START = 1735686000  # 2025-01-01 in Amsterdam
MONTHS_13 = 396  # days


def test_half_hours_of_every_quantity_are_there_for_13_months_at_any_time_though_old_ones_go(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    begins = []

    def look(now):
        oldest = place.files("h")[:1]
        if oldest and (not begins or begins[-1][0] != oldest[0][0]):
            begins.append((oldest[0][0], now))

    household.record(START, 450, look)
    assert len(begins) > 2  # the oldest went, more than once
    for oldest, now in begins[1:]:
        assert now - oldest * place.HALF_HOUR_S >= MONTHS_13 * household.DAY
    assert sum(-(-path.stat().st_size // household.BLOCK) for path in (tmp_path / place.FOLDER).glob("h*")
               ) <= store.ROOM["h"]
