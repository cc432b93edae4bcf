# SPDX-License-Identifier: MIT
"""What others on PyPI make of the same telegrams: {peer: function that reads one list of telegrams}, for the families
that they can read. Each is given what it needs, and no more than it needs."""

import contextlib
import io
from binascii import hexlify

from tools.meters import dlms

DSMR = {"dsmr5": "V5", "ch": "V5", "dsmr4": "V4", "dsmr2": "V2_2", "be": "BELGIUM_FLUVIUS", "se": "SWEDEN",
        "hu": "EON_HUNGARY", "lt": "V5", "iec": "Q3D", "lu": "LUXEMBOURG_SMARTY"}
NORWEGIAN = ("kamstrup", "kamstrup-se", "aidon", "aidon-it", "aidon-se", "kaifa", "kaifa-it", "kaifa-se")
# how much faster we mean to be; 1 where nothing is said
FACTORS = {("dsmr5", "dsmr-parser"): 5, ("kamstrup", "amshan"): 8}


def _dsmr_parser(specification, key, auth_key):
    from dsmr_parser import telegram_specifications
    from dsmr_parser.parsers import TelegramParser
    # the tag has done it for a sealed one
    parser = TelegramParser(getattr(telegram_specifications, specification), apply_checksum_validation=not key)

    def read(frames):
        for frame in frames:
            if key:
                parser.parse(hexlify(frame).decode(), key.hex(), auth_key.hex() if auth_key else "")
            else:
                parser.parse(frame.decode())
    return read


def _amshan():
    from han import autodecoder, hdlc
    decoder = autodecoder.AutoDecoder()

    def read(frames):
        for frame in frames:
            for message in hdlc.HdlcFrameReader(False).read(frame):
                if decoder.decode_message(message) is None:
                    raise ValueError("amshan did not decode it")
    return read


def _smllib(frames):
    from smllib import SmlStreamReader
    reader = SmlStreamReader()
    for frame in frames:
        reader.add(frame)
        for message in reader.get_frame().parse_frame():
            for entry in getattr(message.message_body, "val_list", ()):
                entry.get_value()


def _gurux(key, auth_key):
    from gurux_dlms import GXByteBuffer, GXReplyData
    from gurux_dlms.enums import Authentication, InterfaceType
    from gurux_dlms.secure import GXDLMSSecureClient

    def read(frames):
        for frame in frames:
            client = GXDLMSSecureClient(True, 1, 1, Authentication.NONE, None, InterfaceType.HDLC)
            if key:
                client.ciphering.blockCipherKey = bytearray(key)
            if auth_key:
                client.ciphering.authenticationKey = bytearray(auth_key)
            buffer, reply, pushed = GXByteBuffer(frame), GXReplyData(), GXReplyData()
            while buffer.position < buffer.size:
                before = buffer.position
                client.getData(buffer, reply, pushed)
                if buffer.position == before:
                    break
            if not pushed.isComplete() or pushed.value is None:
                raise ValueError("gurux-dlms did not decode it")
    return read


def quiet():
    """gurux-dlms tells of its keys on standard output."""
    return contextlib.redirect_stdout(io.StringIO())


def of(family, frames, key, auth_key):
    """{peer's name: read(frames)} for a family; what can't read these telegrams is not in it."""
    found = {}
    if family in DSMR:
        found["dsmr-parser"] = _dsmr_parser(DSMR[family], key, auth_key)
    if family in NORWEGIAN and not key:
        found["amshan"] = _amshan()
    if frames[0][:1] == b"\x1b":
        found["smllib"] = _smllib
    if frames[0][:1] == dlms.FLAG:
        found["gurux-dlms"] = _gurux(key, auth_key)
    for name in list(found):
        try:
            with quiet():
                found[name](frames[:1])
        except Exception:  # whatever they raise, they can't
            del found[name]
    return found
