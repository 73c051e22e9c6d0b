"""Transcripts: what dramatiq-workflow sends and which barriers it makes while a workflow runs to its end."""

from __future__ import annotations

import collections
import math
from collections.abc import Callable

import dramatiq
from dramatiq.rate_limits.backends import StubBackend
from dramatiq_workflow import Chain, Group, WithDelay, Workflow, WorkflowMiddleware
from dramatiq_workflow._barrier import AtMostOnceBarrier
from dramatiq_workflow._serialize import serialize_workflow

from .broker import RecordingBroker
from .pins import pinned
from .text import compact, document, rows

#: How far the clock moves before each message is processed: exact in binary, so that timestamps stay short.
STEP_SECONDS = 1.0625


class Tasks:
    """Makes messages: `tasks.one(1, x=2)` is a message for the actor `one`."""

    def __init__(self, broker: RecordingBroker) -> None:
        self._broker = broker

    def __getattr__(self, name: str) -> Callable[..., dramatiq.Message]:
        return self._broker.actor(name).message

    def on_queue(self, queue: str, name: str, *args) -> dramatiq.Message:
        return self._broker.actor(name, queue=queue).message(*args)

    def with_options(self, name: str, **options) -> dramatiq.Message:
        return self._broker.actor(name).message_with_options(**options)


WORKFLOWS: dict[str, Callable[[Tasks], object]] = {
    # Shapes
    "message": lambda t: t.one(),
    "chain-of-one": lambda t: Chain(t.one()),
    "chain-of-three": lambda t: Chain(t.one(), t.two(), t.three()),
    "chain-of-ten": lambda t: Chain(*[t.step(number) for number in range(10)]),
    "group-of-one": lambda t: Group(t.one()),
    "group-of-three": lambda t: Group(t.one(), t.two(), t.three()),
    "group-of-twelve": lambda t: Chain(Group(*[t.part(number) for number in range(12)]), t.join()),
    "chain-with-group": lambda t: Chain(t.one(), Group(t.two(), t.three()), t.four()),
    "chain-starts-with-group": lambda t: Chain(Group(t.one(), t.two()), t.three()),
    "chain-ends-with-group": lambda t: Chain(t.one(), Group(t.two(), t.three())),
    "chain-of-groups": lambda t: Chain(Group(t.one(), t.two()), Group(t.three(), t.four()), Group(t.five())),
    "group-of-chains": lambda t: Group(Chain(t.one(), t.two()), Chain(t.three(), t.four(), t.five())),
    "groups-three-deep": lambda t: Group(t.one(), Group(t.two(), Group(t.three(), t.four()))),
    "groups-three-deep-then": lambda t: Chain(Group(Group(Group(t.one(), t.two()), t.three()), t.four()), t.five()),
    "chains-three-deep": lambda t: Chain(Chain(Chain(t.one(), t.two()), t.three()), t.four()),
    "chains-three-deep-at-the-end": lambda t: Chain(t.one(), Chain(t.two(), Chain(t.three(), t.four()))),
    "alternating": lambda t: Chain(
        Group(Chain(t.one(), Group(t.two(), Chain(t.three(), t.four()))), t.five()),
        Group(Chain(t.six(), Group(t.seven())), t.eight()),
    ),
    "readme": lambda t: Chain(
        t.task1("arguments", "go", "here"),
        Group(
            Chain(t.task2(), t.task5()),
            t.task3(),
            Chain(t.task4(), Group(t.task6(), t.task7())),
        ),
        t.task8(),
    ),
    # The same message, so the same id, in several places
    "chain-of-same-message": lambda t: Chain(*[t.one()] * 3),
    "group-of-same-message": lambda t: Chain(Group(*[t.two()] * 2), t.three()),
    # Empty
    "empty-chain": lambda t: Chain(),
    "empty-group": lambda t: Group(),
    "empty-chain-first": lambda t: Chain(Chain(), t.one(), t.two()),
    "empty-chain-middle": lambda t: Chain(t.one(), Chain(), t.two()),
    "empty-chain-last": lambda t: Chain(t.one(), t.two(), Chain()),
    "empty-group-first": lambda t: Chain(Group(), t.one(), t.two()),
    "empty-group-middle": lambda t: Chain(t.one(), Group(), t.two()),
    "empty-group-last": lambda t: Chain(t.one(), t.two(), Group()),
    "empty-all-in-chain": lambda t: Chain(Chain(), Group(), Chain(Group(), Chain())),
    "empty-all-in-group": lambda t: Group(Chain(), Group(), Group(Chain())),
    "empty-members-in-group": lambda t: Chain(Group(t.one(), Group(), Chain(), t.two()), t.three()),
    "empty-group-then-task": lambda t: Chain(Group(Chain(), Group()), t.one()),
    # Delays
    "delay-message": lambda t: WithDelay(t.one(), 1000),
    "delay-chain": lambda t: WithDelay(Chain(t.one(), t.two()), 2000),
    "delay-group": lambda t: WithDelay(Group(t.one(), t.two()), 3000),
    "delay-nested": lambda t: WithDelay(WithDelay(WithDelay(t.one(), 1), 20), 300),
    "delay-adds-up": lambda t: WithDelay(
        Group(WithDelay(t.one(), 100), Chain(WithDelay(t.two(), 20), t.three()), t.four()), 1000
    ),
    "delay-group-in-group": lambda t: WithDelay(
        Group(WithDelay(Group(t.one(), WithDelay(t.two(), 5)), 40), t.three()), 600
    ),
    "delay-middle-of-chain": lambda t: Chain(t.one(), WithDelay(t.two(), 1500), t.three()),
    "delay-group-in-chain": lambda t: Chain(
        t.one(), WithDelay(t.two(), 1000), WithDelay(Group(t.three(), t.four()), 2000), t.five()
    ),
    "delay-last-of-chain": lambda t: Chain(t.one(), WithDelay(Chain(t.two(), t.three()), 1500)),
    "delay-first-of-chain": lambda t: Chain(WithDelay(t.one(), 1500), t.two()),
    "delay-empty-chain": lambda t: WithDelay(Chain(), 500),
    "delay-empty-group": lambda t: WithDelay(Group(), 500),
    "delay-empty-chain-in-chain": lambda t: Chain(t.one(), WithDelay(Chain(), 500), t.two()),
    "delay-empty-group-first": lambda t: Chain(WithDelay(Group(), 500), t.one()),
    "delay-empty-member": lambda t: Chain(WithDelay(Group(t.one(), Group(), Chain()), 500), t.two()),
    "delay-zero": lambda t: Chain(WithDelay(t.one(), 0), t.two()),
    "delay-zero-empty-group": lambda t: Chain(WithDelay(Group(), 0), t.one()),
    # Messages
    "kwargs": lambda t: Chain(t.one(1, name="Ada", tags=["a", "b"]), t.two(zebra=1, apple={"z": 1, "a": 2})),
    "text": lambda t: Chain(
        t.one("café"), Group(t.two("😀", key="\u2028"), t.three('"\\/\n\x7f')), t.four(**{"ключ": "é"})
    ),
    "numbers": lambda t: Chain(t.one(2**64, -0.0), Group(t.two(1e16, 1e-5), t.three(10**400, 0.1))),
    "numbers-nonfinite": lambda t: Chain(t.one(math.nan), t.two(math.inf), t.three(-math.inf)),
    "options": lambda t: Chain(
        t.with_options("one", args=(1,), max_retries=3, custom={"b": 1, "a": [None]}),
        Group(t.with_options("two", time_limit=1000, broker_priority=9), t.with_options("three", max_age=5000)),
        WithDelay(t.with_options("four", zz="last", aa="first"), 700),
    ),
    "queues": lambda t: Chain(
        t.on_queue("emails", "one"),
        Group(t.on_queue("high-priority", "two", 1), WithDelay(t.on_queue("emails", "three"), 250)),
        t.on_queue("tenant.eu-west_1", "four"),
    ),
}  # fmt: skip


def barrier_type(events: list[dict]) -> type[AtMostOnceBarrier]:
    """dramatiq-workflow's own barrier, which also tells of its creation."""

    class RecordedBarrier(AtMostOnceBarrier):
        def create(self, parties):
            events.append({"event": "barrier", "key": self.key, "parties": parties, "ttl": self.ttl})
            return super().create(parties)

    return RecordedBarrier


def transcript(name: str, make: Callable[[Tasks], object]) -> bytes:
    with pinned() as clock:
        events: list[dict] = []
        waiting: collections.deque[bytes] = collections.deque()

        def on_enqueue(message, delay):
            waiting.append(message.encode())
            events.append({"event": "enqueue", "message": message.encode().decode("utf-8"), "delay": delay})

        middleware = WorkflowMiddleware(StubBackend(), barrier_type=barrier_type(events))
        broker = RecordingBroker([middleware], on_enqueue)
        middleware.after_process_boot(broker)

        workflow = make(Tasks(broker))
        definition = compact(serialize_workflow(workflow))
        started = clock.milliseconds
        Workflow(workflow, broker=broker).run()

        while waiting:
            message = dramatiq.Message.decode(waiting.popleft())
            clock.advance(STEP_SECONDS)
            events.append({"event": "process", "message_id": message.message_id, "now": clock.milliseconds})
            middleware.after_process_message(broker, dramatiq.MessageProxy(message))

        assert_complete(name, definition, events)
        return document(
            f'{{"name":{compact(name)},\n"now":{started!r},\n"definition":{definition},\n"events":{rows(events)}}}'
        )


def assert_complete(name: str, definition: str, events: list[dict]) -> None:
    """As many messages were processed as the definition holds, apart from `workflow_noop`."""
    noops = sum('"actor_name":"workflow_noop"' in event.get("message", "") for event in events)
    processed = sum(event["event"] == "process" for event in events)
    assert processed - noops == definition.count('"__type__":"message"'), f"{name} did not run to its end"


def files() -> dict[str, bytes]:
    return {f"workflows/wire/{name}.json": transcript(name, make) for name, make in WORKFLOWS.items()}
