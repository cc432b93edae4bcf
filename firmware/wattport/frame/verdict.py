# SPDX-License-Identifier: MIT
"""What a telegram tells of the key, in sentences for a person, by the codes of `decrypt`."""

TEXTS = (
    "",
    "the telegrams are fine and not encrypted: no key is needed",
    "the meter encrypts, and no key is set",
    "the key is right",
    "the key is right: the text makes sense; the meter sends no tag to prove it",
    "the key is right: the text makes sense; to prove it the authentication key is missing",
    "the tag does not fit, but the text makes sense: the authentication key is wrong",
    "the tag does not fit, but the text makes sense: the telegram is damaged",
    "the tag does not fit, and it decrypts to nothing known: the key is wrong",
    "it decrypts to nothing known: the key is wrong",
)
