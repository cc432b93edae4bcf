# SPDX-License-Identifier: MIT
"""The head of an answer that is not "200 OK" (RFC 9110, clause 15): loaded for it, then forgotten."""

_REASONS = ("302 Found|304 Not Modified|400 Bad Request|401 Unauthorized|403 Forbidden|404 Not Found|"
            "405 Method Not Allowed|408 Request Timeout|409 Conflict|413 Content Too Large|414 URI Too Long|"
            "415 Unsupported Media Type|421 Misdirected Request|422 Unprocessable Content|429 Too Many Requests|"
            "431 Request Header Fields Too Large|500 Internal Server Error|502 Bad Gateway|503 Service Unavailable")
_HEADERS = "Allow allow|Location location|Retry-After wait_s"
_LINK = '<!DOCTYPE html><html lang="en"><title>Wattport</title><p><a href="%s">%s</a></p></html>'
_HTML = "Content-Type: text/html\r\nContent-Length: %d\r\n"


def head(status, answer, headers):
    """The status and its words, with the headers that belong to what a Refused says; the answer; its own headers. Some
    phones show what comes with a 302 instead of following it: a page with the link."""
    code = str(status)
    text = code + " Status"
    for reason in _REASONS.split("|"):
        if reason.startswith(code):
            text = reason
    if status == 401:
        text += "\r\nWWW-Authenticate: Bearer"  # a browser asks for no password of its own, as it would with Basic
    if isinstance(answer, dict):
        for header in _HEADERS.split("|"):
            header, name = header.split()
            if name in answer:
                text += "\r\n%s: %s" % (header, answer[name])
        if status == 302:
            answer = (_LINK % (answer["location"], answer["detail"])).encode()
            headers = _HTML % len(answer)
    return text, answer, headers
