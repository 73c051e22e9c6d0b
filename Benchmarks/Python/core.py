"""Python's dramatiq doing the work of CoreBenchmarks."""

from __future__ import annotations


import dramatiq
import orjson

import peer


def encode(seconds: float, message: str) -> peer.Round:
    decoded = dramatiq.Message.decode(message.encode())
    return peer.repeating(decoded.encode, seconds, units_per_call=1)


def decode(seconds: float, message: str) -> peer.Round:
    data = message.encode()
    return peer.repeating(lambda: dramatiq.Message.decode(data), seconds)


def decode_orjson(seconds: float, message: str) -> peer.Round:
    data = message.encode()
    return peer.repeating(lambda: orjson.loads(data), seconds)


if __name__ == "__main__":
    peer.serve({"encode": encode, "decode": decode, "decode_orjson": decode_orjson})
