# SPDX-License-Identifier: MIT
"""Who calculates costs reads the history as the others do: under MicroPython, with a HalfHour that tells who reads."""

import json
import subprocess

import pytest

from tools.compile import micropython

SCRIPT = '''
import asyncio, json, sys
from wattport import posixzone, wall
from wattport.history.halfhour import HalfHour
from wattport.web import cost

class App:
    half = HalfHour()
    window = None
    wall = wall.Wall(posixzone.parse("CET-1CEST,M3.5.0,M10.5.0/3"), "ntp", True, print)

class Web:
    app = App()
    settings = {"tariff": {"currency": "EUR", "import_micro": 1, "export_micro": 1, "standing_micro": 1}}

class Request:
    path = "/api/cost"
    args = {"from": "2025-10-01", "to": "2025-10-03"}

class Client:
    def __init__(self):
        self.text, self.seen = "", []
    def send(self):
        pass
    async def awrite(self, text):
        self.text += text
        self.seen.append(half.users)
        if self.breaks:
            raise OSError
        await asyncio.sleep_ms(0)
    breaks = False

half = Web.app.half

async def answer(client):
    body, status, headers = await cost.get(Web, Request)
    await body(client)

async def main():
    told = {}
    half.busy = True
    first = Client()
    task = asyncio.create_task(answer(first))
    await asyncio.sleep_ms(500)
    told["while the history is busy"] = [first.text, half.users]
    half.busy = False
    await asyncio.wait_for(task, 20)
    body, _, _ = await cost.get(Web, Request)
    half.busy = True  # again, before it begins to send
    second = Client()
    other = asyncio.create_task(body(second))
    await asyncio.sleep_ms(300)
    told["before it sends"] = [second.text, half.users]
    half.busy = False
    await asyncio.wait_for(other, 20)
    told["users meanwhile"] = sorted(set(first.seen + second.seen))
    told["users behind"] = half.users
    told["steps"] = [[one["step"] for one in json.loads(client.text)["costs"]] for client in (first, second)]
    broken = Client()
    broken.breaks = True
    try:
        await answer(broken)
    except OSError:
        told["users of one that broke off"] = half.users
    half.users = 1  # an export goes on
    await answer(Client())
    told["the rooms stay for another one"] = "wattport.history.past" in sys.modules and half.users == 1
    half.users = 0
    await answer(Client())
    told["the rooms go with the last one"] = "wattport.history.past" not in sys.modules
    print(json.dumps(told))

asyncio.run(main())
'''


@pytest.mark.parametrize("runtime", ["micropython", "micropython32"])
def test_costs_wait_while_the_history_is_busy_and_count_as_its_users(tmp_path, runtime):
    (tmp_path / "turns.py").write_text(SCRIPT)
    command, environment = micropython(runtime)
    done = subprocess.run(command + ["turns.py"], env=environment, cwd=tmp_path, capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {
        "while the history is busy": ["", 0], "before it sends": ["", 0], "users meanwhile": [1], "users behind": 0,
        "steps": [["2025-10", None]] * 2, "users of one that broke off": 0, "the rooms stay for another one": True,
        "the rooms go with the last one": True}
