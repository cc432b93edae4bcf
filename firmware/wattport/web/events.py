# SPDX-License-Identifier: MIT
"""GET /api/events: each reading as it comes, as server-sent events (HTML standard, clause 9.2)."""

import json

from wattport.web.refused import Refused

_LISTENERS = 2  # each holds one of the few connections for as long as it likes


def get(web, request):
    if len(web.listeners) >= _LISTENERS:
        raise Refused(503, "busy", "Two others are listening already.")

    async def tell(client):
        """Nobody waits for a slow client and nothing queues for it: it gets the newest reading when it can take one,
        and is dropped when it takes too long."""
        told = None
        if len(web.listeners) >= _LISTENERS:  # somebody was quicker
            return
        web.listeners.append(client)
        try:
            await client.awrite(b"retry: 3000\n\n")
            while True:
                if web.newest is told:
                    await client.rest()
                reading = web.newest
                await client.awrite(
                    b":\n\n" if reading is told else ("data: %s\n\n" % json.dumps(reading)).encode())
                told = reading
        finally:
            web.listeners.remove(client)
    return tell, 200, "Content-Type: text/event-stream\r\n"
