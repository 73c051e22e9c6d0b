"""Python's dramatiq and dramatiq-workflow doing the work of CoreBenchmarks."""

from __future__ import annotations

import logging
import os
import threading
import time

import dramatiq
import orjson
from dramatiq.brokers.stub import StubBroker
from dramatiq.rate_limits.backends import StubBackend

import peer

# dramatiq-workflow declares an actor when it is imported, so a broker has to be there first.
broker = StubBroker()
dramatiq.set_broker(broker)

from dramatiq_workflow import Chain, Group, Workflow, WorkflowMiddleware  # noqa: E402

broker.add_middleware(WorkflowMiddleware(StubBackend()))
# A line for every message would be the slowest part of it.
logging.disable(logging.CRITICAL)

finished = threading.Event()
workers: dict[str, dramatiq.Worker] = {}


@dramatiq.actor
def noop(number: int) -> None:
    pass


@dramatiq.actor
def finish() -> None:
    finished.set()


def start_worker() -> None:
    """Starts the worker when it is first needed: its threads would take time from what needs none."""
    if not workers:
        workers["only"] = dramatiq.Worker(broker)
        workers["only"].start()


# MARK: Messages


def encode(seconds: float, message: str) -> peer.Round:
    decoded = dramatiq.Message.decode(message.encode())
    return peer.repeating(decoded.encode, seconds)


def decode(seconds: float, message: str) -> peer.Round:
    data = message.encode()
    return peer.repeating(lambda: dramatiq.Message.decode(data), seconds)


def decode_orjson(seconds: float, message: str) -> peer.Round:
    data = message.encode()
    return peer.repeating(lambda: orjson.loads(data), seconds)


# MARK: Tasks


def tasks(seconds: float, count: int) -> peer.Round:
    start_worker()
    start = time.perf_counter()
    for number in range(count):
        noop.send(number)
    broker.join(noop.queue_name)
    return count, time.perf_counter() - start


def memory_after_tasks(seconds: float, count: int) -> float:
    """Resident bytes once so many tasks have passed, at most 10 000 of them waiting at a time."""
    start_worker()
    for first in range(0, count, 10_000):
        for number in range(first, min(first + 10_000, count)):
            noop.send(number)
        broker.join(noop.queue_name)
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


# MARK: Workflows


def run(workflow: Workflow) -> float:
    """Seconds from the workflow's start until its last task has run."""
    start_worker()
    finished.clear()
    start = time.perf_counter()
    workflow.run()
    finished.wait()
    elapsed = time.perf_counter() - start
    broker.join(noop.queue_name)
    return elapsed


def chain(seconds: float, length: int) -> peer.Round:
    steps = [noop.message(number) for number in range(length - 1)]
    return length, run(Workflow(Chain(*steps, finish.message())))


def group(seconds: float, size: int) -> peer.Round:
    members = [noop.message(number) for number in range(size)]
    return size, run(Workflow(Chain(Group(*members), finish.message())))


if __name__ == "__main__":
    peer.serve(
        {
            "encode": encode,
            "decode": decode,
            "decode_orjson": decode_orjson,
            "tasks": tasks,
            "memory_after_tasks": memory_after_tasks,
            "chain": chain,
            "group": group,
        }
    )
