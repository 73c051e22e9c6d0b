"""Floats, strings, queue names and backoffs, as Python prints or judges them."""

from __future__ import annotations

import itertools
import json
import math
import random
import struct
from unittest import mock

import dramatiq
import dramatiq.common
from dramatiq.brokers.stub import StubBroker

from .text import document, rows

# Floats


def edge_floats():
    yield from [0.0, 1.0, 0.1, 0.2, 0.3, 1 / 3, 2 / 3, math.pi, math.e, 123456.789, 5e-324, 2.2250738585072014e-308]
    yield from [2.2250738585072011e-308, 1.7976931348623157e308, 4.35, 9007199254740993.0, 1795434026514.4583]
    yield from [5e-324 * count for count in range(2, 12)]
    # repr turns to an exponent at 1e16 and below 1e-4.
    for border in [1e15, 1e16, 1e17, 1e-3, 1e-4, 1e-5, 1e21, 1e22, 1e23, 2.0**53, 2.0**63, 2.0**64]:
        below = above = border
        yield border
        for _ in range(4):
            below, above = math.nextafter(below, -math.inf), math.nextafter(above, math.inf)
            yield from [below, above]
    for exponent in range(-324, 309):
        yield float(f"1e{exponent}")
    for exponent in range(-1074, 1024):
        if abs(exponent) <= 80 or exponent % 7 == 0:
            yield math.ldexp(1.0, exponent)
            yield math.nextafter(math.ldexp(1.0, exponent), 0.0)
    for digits in range(1, 18):
        yield float("9" * digits)
        yield float("0." + "9" * digits)
        yield float("1" * digits + ".5")


def random_floats():
    draw = random.Random(20260101)
    for _ in range(1000):
        value = struct.unpack(">d", draw.getrandbits(64).to_bytes(8, "big"))[0]
        if math.isfinite(value):
            yield value
    for _ in range(120):
        yield struct.unpack(">d", draw.getrandbits(52).to_bytes(8, "big"))[0]  # subnormal
    for _ in range(300):
        yield draw.getrandbits(24) / 10 ** (draw.getrandbits(3) + 1)  # few digits
    for _ in range(200):
        yield 1.6e12 + draw.getrandbits(50) / 4096  # timestamps
    for _ in range(100):
        yield float(draw.getrandbits(60))


def floats() -> bytes:
    values = [math.nan, math.inf, -math.inf, -0.0, *edge_floats(), *random_floats(), -1.5, -1e16, -1e-5, -5e-324]
    unique = {struct.pack(">d", value): value for value in values}
    return document(rows([json.dumps(value), bits.hex()] for bits, value in unique.items()))


# Strings

TRICKY = [
    "", " ", "plain", "é", "e\u0301", "ß", "ÿ", "\u0100", "漢字", "한글", "שלום", "مرحبا", "\u07ff", "\u0800",
    "😀", "👩\u200d👩\u200d👧", "🇫🇷", "\U00010000", "\U0010ffff", "a😀b", "\u2028", "\u2029", "\u0085", "\u00a0",
    "\ufeff", "\ufeffstart", "\ufffe", "\uffff", "\ufffd", "\ue000", "\ud7ff", "\ud800", "\udbff", "\udc00", "\udfff",
    "\ud83d", "\ude00", "\ude00\ud83d", "\ud800\ud800", "\ud83dx", "x\ude00", "\ud83d\\ude00", "\ud83d\ud83d\ude00",
    '"', "\\", "\\\\", '\\"', "/", "</script>", "'", "`", "\\u0041", "\\n", "\r\n", "\t", "\b\f", "\0", "\0\0", "a\0b",
    "\x1f", "\x7f", "\x80", "\x9f", "null", "{}", "[1,2]", "NaN", "%s", "${x}", "\u202egnirts", "İıſ", "Ǆ", "ﬀ",
]  # fmt: skip


def random_strings():
    draw = random.Random(20260102)
    alphabets = [
        [chr(unit) for unit in range(0x80)],
        [chr(unit) for unit in range(0x20)] + list('"\\/'),
        [chr(unit) for unit in range(0x80, 0x900)],
        [chr(unit) for unit in range(0xD780, 0xE080)],
        [chr(unit) for unit in range(0x1F300, 0x1F700)] + list("az"),
    ]
    for number in range(200):
        alphabet = alphabets[number % len(alphabets)]
        length = draw.getrandbits(4) + 1
        yield "".join(alphabet[draw.getrandbits(16) % len(alphabet)] for _ in range(length))


def strings() -> bytes:
    def row(text):
        utf16 = text.encode("utf-16-be", "surrogatepass")
        return [list(struct.unpack(f">{len(utf16) // 2}H", utf16)), json.dumps(text).encode("utf-8").hex()]

    ascii_one_by_one = [chr(unit) for unit in range(0x80)]
    return document(rows(row(text) for text in [*TRICKY, *ascii_one_by_one, *random_strings()]))


# Queue names

QUEUE_NAMES = [
    "default", "a", "Z", "_", "__", "_1", "a1", "A-B", "a-", "a.", "a..b", "a._-", "emails", "high-priority",
    "tenant.eu-west_1", "default.DQ", "default.XQ", "default.DQ.XQ", "x" * 300, "a0123456789",
    "", " ", "1", "1a", "-a", ".a", ".DQ", "-", ".", " a", "a ", "a b", "a\n", "\na", "a\t", "a\0", "\0", "a/b", "a:b",
    "a,b", "a*", "a#", "a@b", "a+b", "a\\b", 'a"b', "a'b", "a(b", "é", "aé", "ａ", "a１", "a\u0301", "漢字", "a\u200b",
    "\ufeffa", "a😀", "{a}", "a$", "a%b", "ª", "aª", "ſ", "\u212a",
]  # fmt: skip


def is_allowed(queue_name: str) -> bool:
    """What declaring an actor on the queue says."""
    try:
        dramatiq.actor(lambda: None, actor_name="probe", queue_name=queue_name, broker=StubBroker(middleware=[]))
    except ValueError:
        return False
    return True


def queue_names() -> bytes:
    valid = [name for name in QUEUE_NAMES if is_allowed(name)]
    invalid = [name for name in QUEUE_NAMES if name not in valid]
    return document(f'{{"valid":{rows(valid)},\n"invalid":{rows(invalid)}}}')


# Backoff

BACKOFFS = [  # factor, max_backoff
    (5, 2000),  # compute_backoff's own defaults
    (15_000, 604_800_000),  # the Retries middleware's defaults
    (15_000, 60_000),
    (100, 1_000_000_000_000),  # the maximum is out of reach: attempts above 32 count as 32
    (100, 100),
    (1000, 10),  # the factor is above the maximum
    (1, 1),
    (7, 3333),
    (0, 1000),
    (1, 3_600_000),
]


def backoff_with_draws(draws, **inputs) -> tuple[int, int]:
    """Runs with draw number n at the low (0) or high (1) end of its range."""
    ends = iter(draws)
    with mock.patch("dramatiq.common.uniform", lambda low, high: (low, high)[next(ends)]):
        return dramatiq.common.compute_backoff(**inputs)


def backoff_row(factor: int, max_backoff: int, attempts: int) -> dict:
    inputs = {"attempts": attempts, "factor": factor, "max_backoff": max_backoff}
    by_draws = {draws: backoff_with_draws(draws, **inputs) for draws in itertools.product((0, 1), repeat=2)}
    attempts_after, plain = dramatiq.common.compute_backoff(jitter=False, **inputs)
    waits = [wait for _, wait in by_draws.values()]
    assert {count for count, _ in by_draws.values()} == {attempts_after}
    return {
        **inputs,
        "attempts_after": attempts_after,
        "without_jitter": plain,
        "draws_low": by_draws[0, 0][1],
        "draws_high": by_draws[1, 1][1],
        "draws_high_then_low": by_draws[1, 0][1],
        "low": min(waits),
        "high": max(waits),
    }


def backoff() -> bytes:
    return document(rows(backoff_row(*limits, attempts) for limits in BACKOFFS for attempts in range(41)))


def files() -> dict[str, bytes]:
    return {
        "floats.json": floats(),
        "strings.json": strings(),
        "queue-names.json": queue_names(),
        "backoff.json": backoff(),
    }
