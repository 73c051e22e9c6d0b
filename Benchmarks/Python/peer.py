"""Runs rounds of Python benchmarks when the Swift side asks for them (see Peer.swift for the protocol)."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable

#: What a round came to: how many units, in how many seconds.
Round = tuple[float, float]


def repeating(call: Callable[[], object], seconds: float, units_per_call: float = 1) -> Round:
    """Repeats a short piece of work for about as long as is given."""
    clock = time.perf_counter
    batch = 1
    while True:
        start = clock()
        for _ in range(batch):
            call()
        if clock() - start > 0.002:
            break
        batch *= 2
    calls, elapsed, start = 0, 0.0, clock()
    while elapsed < seconds:
        for _ in range(batch):
            call()
        calls += batch
        elapsed = clock() - start
    return calls * units_per_call, elapsed


def serve(benchmarks: dict[str, Callable[..., Round | float]]) -> None:
    """Answers until the input ends. A benchmark is called with `seconds` and its arguments.

    It returns what a round came to, or a single number that the Swift side asked for.
    """
    # What a library prints must not come between the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            result = benchmarks[request["benchmark"]](seconds=request["seconds"], **request["arguments"])
            answer = dict(zip(("work", "seconds"), result)) if isinstance(result, tuple) else {"value": result}
        except Exception as error:  # noqa: BLE001: the other side reports it
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
