# SPDX-License-Identifier: MIT
"""The page: one gzipped file as tools.compile made it, and beside it the policy that lets its own script run."""

from binascii import hexlify

_PAGE = __file__.rpartition("/")[0] + "/index.html"


def answer(request):
    file = open(_PAGE + ".gz", "rb")
    try:
        size = file.seek(0, 2)
        file.seek(-8, 2)
        tag = '"%s"' % hexlify(file.read(8)).decode()  # gzip ends with a CRC-32 and the size
        file.seek(0)
        with open(_PAGE + ".csp") as policy:
            headers = {
                "Content-Type": "text/html; charset=utf-8", "Content-Encoding": "gzip", "Content-Length": str(size),
                "Cache-Control": "no-cache", "ETag": tag, "Content-Security-Policy": policy.read()}
    except OSError:
        file.close()
        raise
    if request.headers.get("If-None-Match") == tag:
        file.close()
        return "", 304, headers
    return file, 200, headers
