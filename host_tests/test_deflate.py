# SPDX-License-Identifier: MIT
"""Deflate with a code and a history that are there already, as zlib reads it."""

import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools import container, deflate, flashed, primer

PIECES = [b"a", b"bc", b"\0" * 300, primer.HISTORY[:40], b"wattport.app"]


def read(data):
    """What stands behind the primer."""
    reader = zlib.decompressobj(-11)
    found = reader.decompress(primer.BLOCK + data)
    assert reader.eof and not reader.unused_data and found.startswith(primer.HISTORY)
    return found[len(primer.HISTORY):]


@settings(max_examples=60, deadline=None)
@given(st.one_of(st.binary(max_size=3000), st.lists(st.sampled_from(PIECES), max_size=60).map(b"".join)))
def test_whatever_goes_on_behind_the_primer_is_read_as_it_was(data):
    assert read(deflate.behind(primer.HISTORY, primer.CODE, data)) == data


def test_a_match_may_be_as_long_and_as_far_away_as_the_window_lets_it():
    far = bytes(range(256)) * 4
    for data in (bytes(600), far + far, b"x" + far[:1023] + b"x"):
        assert read(deflate.behind(primer.HISTORY, primer.CODE, data)) == data


def test_the_primer_gives_the_history_that_the_device_skips_and_leaves_the_block_open():
    reader = zlib.decompressobj(-11)
    assert reader.decompress(primer.BLOCK) == primer.HISTORY and len(primer.HISTORY) == primer.SIZE
    assert not reader.eof and "which gives %d bytes" % primer.SIZE in (flashed.FIRMWARE / "slot.py").read_text()


def test_every_symbol_has_a_word_that_a_decoder_takes():
    for lengths in (primer.CODE.symbols, primer.CODE.distances):
        assert all(1 <= length <= 15 for length in lengths)
        assert sum(1 << 15 - length for length in lengths) == 1 << 15


@pytest.mark.parametrize("counts, longest, lengths", [
    ([0, 5, 0], 15, [0, 1, 0]), ([1, 1, 2, 4], 15, [3, 3, 2, 1]), ([1, 1, 2, 4, 8], 3, [3, 3, 3, 3, 1]),
    ([0, 0], 7, [0, 0])])
def test_a_code_is_the_best_one_whose_words_are_short_enough(counts, longest, lengths):
    assert deflate.code_lengths(counts, longest) == lengths


def test_a_history_that_never_ends_on_a_byte_is_refused():
    code = deflate.Code([8] * 256 + [9] * 30, [5] * deflate.DISTANCES)
    with pytest.raises(ValueError, match="byte"):
        deflate.primer(b"", code)


def test_what_was_learnt_still_fits_the_modules():
    """Else `python -m tools.primer` learns it anew."""
    modules = [data for name, data in flashed.parts("xtensawin").items() if name.endswith(".mpy")]

    def plain(data):
        packer = zlib.compressobj(9, zlib.DEFLATED, -11, 9)
        return len(packer.compress(data) + packer.flush())
    assert sum(len(container._packed("a.mpy", data)[1]) for data in modules) < 0.91 * sum(map(plain, modules))
