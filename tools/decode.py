# SPDX-License-Identifier: MIT
"""Decode telegrams: files, standard input, or the /raw topic of a dongle. `--help` tells the options.

One JSON object a line for each telegram: {"family": …, "reading": …}, or {"error": …, "detail": …} for a bad frame.
Exit 0: all good; 1: at least one error; 2: usage.
"""

import argparse
import asyncio
import json
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

from tools import cpython

cpython.install()

from tools import decoder, zones  # noqa: E402
from tools.compile import RUNTIMES, micropython  # noqa: E402
from wattport.decode import profile as profiles  # noqa: E402

_RAW_TOPICS = "wattport/+/raw"


def hex_key(text):
    digits = "".join(text.split()).replace("-", "").replace(":", "")
    if len(digits) != 32 or any(digit not in "0123456789abcdefABCDEF" for digit in digits):
        raise argparse.ArgumentTypeError("a key is 32 hexadecimal digits")
    return digits


def profile(name):
    try:
        found = json.loads(Path(name).read_text())
        profiles.check(found)
    except OSError:
        raise argparse.ArgumentTypeError("no such file: %s" % name)
    except ValueError as error:
        raise argparse.ArgumentTypeError("%s: %s" % (name, error))
    return found


def zone(text):
    try:
        return zones.posix(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error))


def parse(arguments):
    parser = argparse.ArgumentParser(prog="tools.decode", description="Decode telegrams of smart meters.")
    parser.add_argument("files", nargs="*", metavar="FILE", help="what a meter sent; - is standard input")
    parser.add_argument("--key", type=hex_key, help="encryption key, 32 hexadecimal digits")
    parser.add_argument("--auth-key", type=hex_key, help="authentication key, 32 hexadecimal digits")
    parser.add_argument("--obis", action="store_true", help="add every OBIS code, named or not")
    parser.add_argument("--profile", type=profile, metavar="FILE",
                        help="a layout to try first, one JSON object; see docs/profiles.md")
    parser.add_argument("--items", action="store_true", help="show what COSEM lists hold, to write a profile from")
    parser.add_argument("--tz", type=zone, metavar="ZONE", help="zone of times without one; default Central Europe")
    parser.add_argument("--runtime", choices=("cpython", *RUNTIMES), default="cpython")
    parser.add_argument("--mqtt", metavar="HOST:PORT", help="decode what dongles publish under /raw, for ever")
    parser.add_argument("--topic", default=_RAW_TOPICS, help="topic to listen to with --mqtt; default %(default)s")
    parser.add_argument("--user", help="MQTT user")
    parser.add_argument("--password", help="MQTT password")
    options = parser.parse_intermixed_args(arguments)
    if bool(options.files) == bool(options.mqtt):
        parser.error("name files, or --mqtt, and not both")
    for name in options.files:
        if name != "-" and not Path(name).is_file():
            parser.error("no such file: %s" % name)
    return options


async def listen(options, settings):
    from amqtt.client import ClientError, ConnectError, MQTTClient
    host, _, port = options.mqtt.partition(":")
    access = "%s:%s@" % (quote(options.user, ""), quote(options.password or "", "")) if options.user else ""
    client = MQTTClient(config={"auto_reconnect": True, "keep_alive": 30})
    try:
        await client.connect("mqtt://%s%s:%s/" % (access, host, port or 1883))
        await client.subscribe([(options.topic, 0)])
    except (ConnectError, ClientError, OSError) as error:
        sys.exit("no connection to the broker at %s: %s" % (options.mqtt, error))
    decoders = {}
    while True:
        message = await client.deliver_message()
        source = decoders.get(message.topic)
        if not source:
            source = decoders[message.topic] = decoder.Decoder(settings, lambda line: print(line, flush=True))
        data = bytes(message.data)
        source.meter.feed(data, len(data))
        source.meter.flush(True)  # a message is a whole frame


def main(arguments=None):
    options = parse(arguments)
    settings = {"key": options.key, "auth_key": options.auth_key, "zone": options.tz, "obis": options.obis,
                "profile": options.profile, "items": options.items}
    if options.mqtt:
        try:
            asyncio.run(listen(options, settings))
        except KeyboardInterrupt:
            return 0
    if options.runtime == "cpython":
        return decoder.main(settings, options.files)
    command, environment = micropython(options.runtime)
    return subprocess.call([*command, decoder.__file__, json.dumps(settings), *options.files], env=environment)


if __name__ == "__main__":
    sys.exit(main())
