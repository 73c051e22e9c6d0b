"""Pins what differs from run to run: ids, the clock and the random draws."""

from __future__ import annotations

import contextlib
import itertools
import random
import uuid
from unittest import mock

#: Where every capture starts, in seconds since 1970, with a fraction so that a float timestamp shows.
START = 1795434026.5144583


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.seconds = START

    def advance(self, seconds: float) -> None:
        self.seconds += seconds

    @property
    def milliseconds(self) -> float:
        return self.seconds * 1000


def counted_ids(block: str):
    """A replacement for `uuid.uuid4` that counts: 00000000-0000-4000-<block>-000000000001 and so on."""
    numbers = itertools.count(1)
    return lambda: uuid.UUID(f"00000000-0000-4000-{block}-{next(numbers):012d}")


@contextlib.contextmanager
def pinned():
    """Message ids count up in block 8000, barrier ids in block b000; random draws fall in the middle of their range."""
    clock = Clock()
    barrier_id = counted_ids("b000")
    patches = [
        ("uuid.uuid4", counted_ids("8000")),
        ("dramatiq.composition.uuid4", barrier_id),
        ("dramatiq_workflow._base.uuid4", barrier_id),
        ("time.time", lambda: clock.seconds),
        ("dramatiq.common.time", lambda: clock.seconds),
        ("dramatiq.common.uniform", lambda low, high: (low + high) / 2),
    ]
    with contextlib.ExitStack() as stack:
        for target, replacement in patches:
            stack.enter_context(mock.patch(target, replacement))
        yield clock


@contextlib.contextmanager
def realistic(seed: str):
    """Ids that differ from each other as much as real ones and a clock that runs, both the same each time: for what is
    measured, since ids that count up are easily compressed."""
    draw = random.Random(seed)
    clock = Clock()

    def now() -> float:
        clock.advance(draw.random() * 0.0004)
        return clock.seconds

    patches = [
        ("uuid.uuid4", lambda: uuid.UUID(int=draw.getrandbits(128), version=4)),
        ("time.time", now),
    ]
    with contextlib.ExitStack() as stack:
        for target, replacement in patches:
            stack.enter_context(mock.patch(target, replacement))
        yield draw
