# SPDX-License-Identifier: MIT
"""Supervisor, log, LED and watchdog, each as MicroPython runs it."""

import subprocess

from tools.compile import micropython
from tools.dongle import SIM


def run(script, **environment):
    """What a script prints under MicroPython, 32 bits; a script that fails fails the test."""
    words, paths = micropython("micropython32", extra_path=[SIM], heap="136k")
    done = subprocess.run([*words, "-c", script], env=dict(paths, **environment), capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


def test_a_task_that_fails_starts_again_and_the_others_never_notice():
    lines = run('''
import asyncio
from wattport import supervisor
log = lambda level, text: print(level, text)
boss = supervisor.Supervisor(log)
starts = [0]
ticks = [0]
async def failing():
    starts[0] += 1
    if starts[0] < 3:
        raise OSError(5)
    await asyncio.sleep(100)
async def steady():
    while True:
        ticks[0] += 1
        await asyncio.sleep_ms(10)
async def ending():
    pass
async def main():
    boss.add("failing", failing)
    boss.add("steady", steady)
    boss.add("ending", ending)
    task = asyncio.create_task(boss.run())
    await asyncio.sleep_ms(3600)
    task.cancel()
asyncio.run(main())
print(starts[0], ticks[0] > 200, boss.status["failing"], boss.status["steady"]["restarts"])
''')
    assert lines[0].startswith("error task failing failed, again in 1 s: OSError")
    assert lines[1].startswith("error task failing failed, again in 2 s: OSError")
    assert lines[2].startswith("3 True {") and "'restarts': 2" in lines[2] and lines[2].endswith(" 0")


def test_a_task_out_of_memory_is_named_and_starts_again():
    lines = run('''
import asyncio
from wattport import supervisor
boss = supervisor.Supervisor(lambda level, text: print(text))
async def greedy():
    bytearray(1000000)
async def main():
    boss.add("greedy", greedy)
    task = asyncio.create_task(boss.run())
    await asyncio.sleep_ms(200)
    task.cancel()
asyncio.run(main())
''')
    assert lines == ["task greedy failed, again in 1 s: out of memory"]


def test_a_repeating_trouble_is_one_line_a_minute_and_the_next_one_counts_the_rest():
    lines = run('''
import time
now = [0]
class Time:
    ticks_ms = staticmethod(lambda: now[0])
    ticks_diff = staticmethod(time.ticks_diff)
    ticks_add = staticmethod(time.ticks_add)
from wattport import log
log.time = Time
lines = log.Log()
for second in range(150):
    now[0] = second * 1000
    lines.limited("crc", "warning", "bad")
    if second == 70:
        lines.limited("other", "error", "worse")
for kind in range(100):
    lines.limited("kind%d" % kind, "info", "x")
print(len([1 for _ in range(3)]))
''')
    assert [line.split(None, 2)[2] for line in lines[:4]] == [
        "bad", "bad (and 59 more since the last line)", "worse", "bad (and 59 more since the last line)"]
    assert [int(line.split()[0]) for line in lines[:4]] == [0, 60, 70, 120]
    assert lines[-1] == "3"


def test_uptime_goes_on_when_the_ticks_come_round():
    lines = run('''
import time
now = [0]
class Time:
    ticks_ms = staticmethod(lambda: now[0] & 0x3fffffff)
    ticks_diff = staticmethod(time.ticks_diff)
    ticks_add = staticmethod(time.ticks_add)
from wattport import log
log.time = Time
lines = log.Log(lambda text: None)
for day in range(30):
    now[0] += 86400000
    lines.uptime_s()
print(lines.uptime_s())
''')
    assert lines == [str(30 * 86400)]


def test_the_led_tells_telegrams_from_trouble():
    lines = run('''
import asyncio
from wattport import led
states = ["ok"]
seen = []
async def main():
    lamp = led.Led(lambda value: seen.append(value), lambda: states[0])
    task = asyncio.create_task(lamp.run())
    await asyncio.sleep_ms(200)
    dark = sum(seen)
    lamp.flash()
    await asyncio.sleep_ms(200)
    flashes = sum(seen)
    for state in led.PATTERNS:
        states[0] = state
        await asyncio.sleep_ms(600)
        del seen[:]
        await asyncio.sleep_ms(2200)
        print(state, sum(seen))
    task.cancel()
    print(dark, flashes)
asyncio.run(main())
''')
    counts = dict(line.split() for line in lines[:-1])
    assert lines[-1] == "0 1"
    assert 1 <= int(counts["undecoded"]) <= 2
    assert 2 <= int(counts["offline"]) <= 4
    assert int(counts["silent"]) >= 6


def feeds(hang):
    """How often the watchdog is fed in three seconds, with a meter task that lives or hangs."""
    return int(run('''
import asyncio, machine
from wattport import app, settings
from wattport.link import uart
class Dog:
    fed = 0
    def __init__(self, timeout):
        assert timeout == 30000
    def feed(self):
        Dog.fed += 1
machine.WDT = Dog
async def hang(self):
    await asyncio.sleep(1000)
if %r:
    uart.Line.run = hang
async def main():
    task = asyncio.create_task(app.App(settings.check({'web': {'port': 0}}), lambda level, text: None).run())
    await asyncio.sleep_ms(3300)
    print(Dog.fed)
    task.cancel()
asyncio.run(main())
''' % hang, WATTPORT_UART="file:/dev/null", WATTPORT_ID="0" * 12)[-1])


def test_the_watchdog_is_fed_as_long_as_the_meter_task_lives_and_no_longer():
    assert feeds(hang=False) >= 3
    assert feeds(hang=True) <= 1
