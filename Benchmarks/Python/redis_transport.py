"""Python's dramatiq and dramatiq-workflow doing the work of RedisBenchmarks."""

from __future__ import annotations

import logging
import threading
import time

import dramatiq
import redis
from dramatiq.brokers.redis import RedisBroker
from dramatiq.rate_limits.backends import RedisBackend

import peer

broker = RedisBroker(namespace="python")
dramatiq.set_broker(broker)

from dramatiq_workflow import Chain, Group, Workflow, WorkflowMiddleware  # noqa: E402

backend = RedisBackend()
broker.add_middleware(WorkflowMiddleware(backend))
# A line for every message would be the slowest part of it.
logging.disable(logging.CRITICAL)

finished = threading.Event()
starts: list[float] = []


@dramatiq.actor
def noop(number: int) -> None:
    pass


@dramatiq.actor
def finish() -> None:
    finished.set()


@dramatiq.actor
def stamp(number: int) -> None:
    starts.append(time.perf_counter())


def connect(url: str) -> None:
    """Uses the server that the Swift side started, and empties it."""
    client = redis.Redis.from_url(url)
    client.flushall()
    if backend.client.connection_pool.connection_kwargs.get("port") != client.get_connection_kwargs()["port"]:
        broker.client = backend.client = client
        broker.scripts = {name: client.register_script(script.script) for name, script in broker.scripts.items()}


class Working:
    """A worker around a block."""

    def __enter__(self) -> None:
        self.worker = dramatiq.Worker(broker, worker_timeout=10, worker_threads=8)
        self.worker.start()

    def __exit__(self, *_: object) -> None:
        self.worker.stop()


def enqueue(seconds: float, url: str, count: int) -> peer.Round:
    connect(url)
    start = time.perf_counter()
    for number in range(count):
        noop.send(number)
    return count, time.perf_counter() - start


def tasks(seconds: float, url: str, count: int) -> peer.Round:
    connect(url)
    finished.clear()
    for number in range(count - 1):
        noop.send(number)
    finish.send()
    start = time.perf_counter()
    with Working():
        finished.wait()
        elapsed = time.perf_counter() - start
        broker.join(noop.queue_name, interval=1)
    return count, elapsed


def run(workflow: Workflow) -> float:
    """Seconds from the workflow's start until its last task has run."""
    finished.clear()
    with Working():
        start = time.perf_counter()
        workflow.run()
        finished.wait()
        elapsed = time.perf_counter() - start
        broker.join(noop.queue_name, interval=1)
    return elapsed


def group(seconds: float, url: str, size: int) -> peer.Round:
    connect(url)
    return size, run(Workflow(Chain(Group(*(noop.message(number) for number in range(size))), finish.message())))


def chain(seconds: float, url: str, length: int) -> peer.Round:
    connect(url)
    steps = [noop.message(number) for number in range(length - 1)]
    return length, run(Workflow(Chain(*steps, finish.message())))


def hop_latency(seconds: float, url: str, percent: int) -> float:
    """Milliseconds from the start of one task of a chain to the start of the next."""
    hops: list[float] = []
    for _ in range(5):
        connect(url)
        starts.clear()
        run(Workflow(Chain(*(stamp.message(number) for number in range(50)), finish.message())))
        hops += [(later - earlier) * 1000 for earlier, later in zip(starts, starts[1:])]
    hops.sort()
    return hops[len(hops) * percent // 100]


if __name__ == "__main__":
    peer.serve(
        {"enqueue": enqueue, "tasks": tasks, "group": group, "chain": chain, "hop_latency": hop_latency}
    )
