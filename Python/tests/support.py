"""What the tests have in common."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Python"))

import dramatiq  # noqa: E402
from dramatiq.brokers.stub import StubBroker  # noqa: E402

dramatiq.set_broker(StubBroker(middleware=[]))

from dramatiq.rate_limits.backends import StubBackend  # noqa: E402
from dramatiq_workflow import Chain, Group, WithDelay, Workflow, WorkflowMiddleware  # noqa: E402
from dramatiq_workflow._middleware import workflow_noop  # noqa: E402

from dramatiq_workflow_stores import Store, StoreError  # noqa: E402

#: Random tests take it from the environment (TEST_SEED) to repeat what they have printed.
#: The name of nothing.
MISSING = "A" * 43
SEED = int(os.environ.get("TEST_SEED") or random.SystemRandom().randrange(1 << 32))


def fixture(name: str):
    return json.loads((ROOT / "Fixtures/references" / f"{name}.json").read_text())


def encoded(value) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True)


class MemoryStore(Store):
    """Counts what it is asked for."""

    name = "memory"

    def __init__(self, **options) -> None:
        super().__init__(**options)
        self.kept: dict[str, bytes] = {}
        self.puts: list[str] = []
        self.gets: list[str] = []
        self.keeps: list[str] = []
        self.pause = 0.0

    def describe(self, name: str) -> str:
        return f"{name} in memory"

    def add(self, name: str, text: str) -> None:
        self.kept[name] = text.encode()

    def _put(self, name: str, kept: bytes) -> None:
        self.puts.append(name)
        self.kept[name] = kept

    def _get(self, name: str, limit: int) -> bytes:
        self.gets.append(name)
        time.sleep(self.pause)
        if name not in self.kept:
            raise StoreError("missing", "It is not there")
        return self.kept[name]

    def _keep(self, name: str) -> None:
        self.keeps.append(name)
        if name not in self.kept:
            raise StoreError("missing", "It is not there")


class Run:
    """Runs a workflow message by message, in the order in which they are sent, each in the next worker."""

    def __init__(self, storages, order=None) -> None:
        self.broker = StubBroker(middleware=[])
        self.broker.enqueue = self.enqueue  # type: ignore[method-assign]
        self.middleware = WorkflowMiddleware(StubBackend())
        self.broker.add_middleware(self.middleware)
        self.storages = itertools.cycle(storages)
        self.order = order
        self.waiting: list[bytes] = []
        self.sizes: list[int] = []
        self.tasks: list[object] = []

    def enqueue(self, message, *, delay=None):
        self.sizes.append(len(message.encode()))
        self.waiting.append(message.encode())

    def start(self, workflow) -> "Run":
        self.middleware.callback_storage = next(self.storages)
        Workflow(workflow, self.broker).run()
        return self

    def step(self) -> None:
        index = self.order.randrange(len(self.waiting)) if self.order else 0
        message = dramatiq.Message.decode(self.waiting.pop(index))
        if message.actor_name != workflow_noop.actor_name:
            self.tasks.append([message.actor_name, list(message.args), message.kwargs])
        self.middleware.callback_storage = next(self.storages)
        self.middleware.after_process_message(self.broker, dramatiq.broker.MessageProxy(message))

    def finish(self) -> "Run":
        while self.waiting:
            self.step()
        return self


def message(number: int, size: int = 0, **more) -> dramatiq.Message:
    return dramatiq.Message(
        queue_name="default", actor_name="task", args=(number, "x" * size), kwargs={}, options={}, **more
    )


def tree(draw: random.Random, depth: int, numbers) -> object:
    kind = draw.randrange(10) if depth else 0
    if kind < 3:
        return message(next(numbers), draw.choice([0, 0, 0, 600]))
    if kind < 6:
        return Chain(*[tree(draw, depth - 1, numbers) for _ in range(draw.randrange(5))])
    if kind < 9:
        return Group(*[tree(draw, depth - 1, numbers) for _ in range(draw.randrange(5))])
    return WithDelay(tree(draw, depth - 1, numbers), draw.randrange(30))


class StoreCase(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="dramatiq-stores-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    @contextlib.contextmanager
    def refused(self, code: str, text: str = ""):
        with self.assertRaises(StoreError) as caught:
            yield
        self.assertEqual(caught.exception.code, code, str(caught.exception))
        self.assertIn(text, str(caught.exception))
        self.assertTrue(str(caught.exception).isascii() and len(str(caught.exception)) < 3000)


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


@contextlib.contextmanager
def process(arguments: list[str], is_ready):
    """A server that is killed in the end."""
    with tempfile.TemporaryFile() as log:
        server = subprocess.Popen(arguments, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 120
            while not is_ready():
                if server.poll() is not None or time.monotonic() > deadline:
                    log.seek(0)
                    raise RuntimeError(f"{arguments} didn't start: {log.read()[-2000:]!r}")
                time.sleep(0.05)
            yield server
        finally:
            server.kill()
            server.wait()


def together(count: int, body) -> list:
    """Calls a function in so many threads that begin at once, and returns what they return or raise."""
    barrier = threading.Barrier(count)
    results: list = [None] * count

    def run(index: int) -> None:
        barrier.wait()
        try:
            results[index] = body(index)
        except BaseException as error:
            results[index] = error

    threads = [threading.Thread(target=run, args=[index]) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
