#!/usr/bin/python3
"""Reads a request on standard input, answers with one JSON object a line on standard output."""
import json
import sys

request = json.load(sys.stdin)
document = request["document"]
wants, chain = document["wants"], document["chain"]
address = document["crowbar"]["node"]["addresses"]["admin"]
expected = f'{wants["token"]}@{address}:{chain["port"]} {chain["motto"]}'
fits = wants["copied"] == expected


def say(**message):
    print(json.dumps(message), flush=True)


if request["action"] == "preview":
    if not fits:
        say(type="log", text="what came around last is not what would be sent now")
    say(type="end", outcome="unchanged" if fits else "succeeded")
    sys.exit(0)
if not fits:
    say(type="end", outcome="failed", message="what came around is not what was sent")
    sys.exit(1)
say(type="log", text="what came around is what was sent")
say(type="provide", name="length", value=len(wants["copied"]))
say(type="fact", name="roundTrips", value=1)
say(type="end", outcome="unchanged")
