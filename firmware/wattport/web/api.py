# SPDX-License-Identifier: MIT
"""What can be asked for, and what the answers need of it. Only this stays in the heap: who may ask for what stands in
`gate`, and each answer in a module of its own; both are loaded for a request and forgotten.

A module has `get(web, request)` or `post(web, request)`, plain or async, and keeps nothing. It gives what Server sends:
a dict, or (body, status), or (body, status, text of more headers). To refuse, it raises Refused.
"""

from wattport.modules import fetch, forget, load
from wattport.web.server import Server

_ROOM = "wattport.web."


class Web:
    """settings: the group `web`, and "hostname". report() gives the health. `reading` takes what comes from the meter;
    `run` serves until nobody has come for a minute. What outlives that is in `kept`, see `waiter`.

    For what answers: `app`, `settings`, `newest`, the newest Reading or None; `listeners`, clients with a `wake` to be
    set; `sessions`, see `gate.session`; `tries`, wrong passwords and when the next may come, see `login`.
    """

    def __init__(self, app, settings, report, kept):
        self.app = app
        self.settings = settings
        self.report = report
        self.newest = kept.newest
        self.listeners = []
        self.sessions = kept.sessions
        self.tries = kept.tries
        self._used = []  # modules, once for each who uses them
        self.run = Server(self, kept, app.log).run

    def reading(self, reading):
        """The newest Reading; must not be changed afterwards. Made into JSON by who asks, not by the meter's task."""
        self.newest = reading
        for client in self.listeners:
            client.wake.set()

    def check(self, request):
        """(name of the module that answers, most bytes of body), or Refused."""
        found = fetch("wattport.web.gate", "check")(self, request)
        self._used.append(found[0])
        return found

    async def answer(self, request, module):
        answer = load(_ROOM + module, "post" if request.method == "POST" else "get")(self, request)
        if not isinstance(answer, (dict, tuple)):
            answer = await answer
        return answer

    def done(self, module):
        """The last one who needed it forgets it: two who ask for a page at once share the code."""
        self._used.remove(module)
        if module not in self._used:
            forget(_ROOM + module)
