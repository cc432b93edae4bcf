# SPDX-License-Identifier: MIT
"""What is wrong in the house, at the meter or on its line: each thing is raised once and ended once. Pure.

Here is what every telegram and every second need: comparisons of integers. What else there is to look at is in
`watch`, what has changed in `news`, raising and ending in `change`, the words in `texts`; they are loaded when
something happens.
"""

from micropython import const

from wattport.modules import fetch

UNSEEN = const(-1)  # in `due`: to be seen fine before it can be missing
ON = const(-2)  # in `due`: it is active
_ODD_S = const(60)


class Alerts:
    """Made by `store.load`.

    `rules`: [(name, fields, sign, most, clear, far, hold in s), ...], see `rules`; `due`: number of a rule's field →
    ON, UNSEEN, or since when, in seconds of uptime, it would be wrong. `silent_s`: 0 for never. `watched`: fields that
    tell something when they change; `known`: what they were, and "read": a telegram was read. `active`: {name: [since,
    UTC or None; value; seconds of uptime at which it ends by itself, or None]}. `last`: [[name, since, until, value],
    ...], the oldest first. `at`: when `watch` is wanted next, in seconds of uptime; `trouble`: what is wrong on the
    line, a name or None. The rest is for `watch`. `app`: has `wall`, `publisher`, `log`, `health` and `meter`.
    """

    def change(self, name, on, value, now_s):
        fetch("wattport.alert.change", "change")(self, name, on, value, now_s)

    def take(self, reading, odd, now_s):
        """A Reading, and what plausible.Guard found in it. now_s: seconds of uptime."""
        due = self.due
        if self.trouble:
            self.at = now_s
        number = 0
        for name, fields, sign, most, clear, far, hold_s in self.rules:
            for field in fields:
                value = reading.get(field)
                if value is not None:
                    since = due.get(number)
                    signed = sign * value
                    fine = signed <= clear or signed > far
                    if not fine and signed > most and since is None:
                        due[number] = now_s
                    elif since is not None and (fine or since >= 0 and signed <= most):  # between them nothing changes
                        del due[number]
                        if since == ON:
                            self.change(name.replace("?", field[9]), False, value, now_s)
                    elif since is not None and since >= 0 and now_s - since >= hold_s:
                        due[number] = ON
                        self.change(name.replace("?", field[9]), True, value, now_s)
                number += 1
        for field in self.watched:
            value = reading.get(field)
            if value is not None and value != self.known.get(field):
                fetch("wattport.alert.news", "changed")(self, field, value, reading, now_s)
        if "message" in self.active and "message" not in reading and "import_wh" in reading:
            del self.known["message"]  # P1 leaves an empty one out of the reading
            self.change("message", False, None, now_s)
        if odd == "swap" or odd and odd != "held" and now_s - self.odd_at >= _ODD_S:
            self.odd_at = now_s
            fetch("wattport.alert.news", "odd")(self, odd, now_s)
