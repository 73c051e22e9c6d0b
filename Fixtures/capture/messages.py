"""Encoded messages, one per file: whatever `Message.encode()` returned."""

from __future__ import annotations

import linecache
import math
from collections.abc import Callable

import dramatiq
from dramatiq.composition import group, pipeline
from dramatiq.message import Message
from dramatiq.middleware import Callbacks, GroupCallbacks, Pipelines, Retries
from dramatiq.rate_limits.backends import StubBackend
from dramatiq.worker import ConsumerThread
from dramatiq_workflow import Chain, Group, WithDelay, Workflow, WorkflowMiddleware

from .broker import RecordingBroker
from .pins import pinned

CAPTURES: dict[str, Callable] = {}


def message_file(name: str):
    """Names a function that takes a broker and a clock, and returns the message to encode."""

    def register(function):
        assert name not in CAPTURES, name
        CAPTURES[name] = function
        return function

    return register


def plain_message(name: str, /, *args, **kwargs) -> None:
    """A message of these arguments, with nothing special in how it is made."""
    message_file(name)(lambda broker, clock: broker.actor("noop").message(*args, **kwargs))


# Arguments

plain_message("plain", 1)
plain_message("no-arguments")
plain_message("kwargs", name="Ada", count=3)
plain_message("args-and-kwargs", 1, "two", None, True, False, [1, [2]], {"a": {"b": []}}, last=2.5, first=-1)
plain_message("tuples", (1, (2, 3)), pair=("a", "b"))
plain_message("repeated-values", "x", "x", ["x", "x"], {"a": "x", "b": "x"}, 1, 1.0, 1, a="x", b="x")
plain_message("empty-containers", [], {}, "", [[]], [{}], {"": {}}, {"a": [], "b": {}}, kwargs={})
plain_message("key-order", {"zebra": 1, "apple": 2, "10": 3, "9": 4, "Zebra": 5, "": 6}, zulu=1, alpha=2, Mike=3)
plain_message("keys-not-text", {1: "int", 2.5: "float", None: "null", False: "false", math.inf: "inf", 10**20: "big"})
plain_message("keys-that-look-special", {"__type__": "message", "__t": 1, "__class__": 2, "constructor": 3})

plain_message("text-latin", "café", "Ünïcödé", "\u00a0", "\u0085", naïve="é")
plain_message("text-emoji", "😀", "👩\u200d👩\u200d👧", "🇫🇷", "\U0010ffff", **{"🔑": "🚪"})
plain_message("text-scripts", "漢字", "한글", "שלום", "مرحبا", "e\u0301", "\u202egnirts")
plain_message("text-line-separators", "\u2028", "\u2029", "a\u2028b\u2029c", "\ufeff")
plain_message("text-lone-surrogates", "\ud800", "a\udc00b", "\ude00\ud83d", "\ud83d\ud83d\ude00", **{"\udfff": 1})
plain_message("text-noncharacters", "\ufffe", "\uffff", "\ufffd", "\U0001ffff")
plain_message("text-controls", "".join(map(chr, range(0x20))), "\x7f", "\x80\x9f", "a\0b")
plain_message("text-quotes", 'say "hi"', "back\\slash", '\\"', "/", "</script>", "it's", "\\u0041", "\r\n\t\b\f")
plain_message(
    "text-20-kilobytes", ("The quick brown fox jumps over the lazy dog. Zażółć gęślą jaźń. 🦊 " * 300)[:20_000]
)

plain_message("integers", 0, -1, 2**31, -(2**31), 2**53 + 1, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**64 - 1)
plain_message("integers-big", 2**64, -(2**64), 2**128, 10**400, -(10**400) - 1)
plain_message("floats", 0.1, 1.0, -1.5, 100.0, 123456789.125, 1e15, 9999999999999998.0, 0.0001, 2.0**53)
plain_message("floats-exponents", 1e16, 1e22, 1.5e300, 1e-5, 1.25e-7, 5e-324, 1.7976931348623157e308, -1e16, -1e-5)
plain_message("floats-negative-zero", -0.0, 0.0, [-0.0], zero=-0.0)
plain_message("floats-nonfinite", math.nan, math.inf, -math.inf, [math.nan], {"x": -math.inf}, limit=math.inf)


def nested(depth: int, wrap: Callable, innermost):
    for _ in range(depth):
        innermost = wrap(innermost)
    return innermost


plain_message("nested-arrays-500", nested(499, lambda inner: [inner], []))
plain_message("nested-objects-200", nested(200, lambda inner: {"k": inner}, "bottom"))


# Fields


@message_file("other-queue-and-actor")
def _(broker, clock):
    return broker.actor("café.send_✉", queue="tenant.eu-west_1").message(1)


@message_file("timestamp-float")
def _(broker, clock):
    return broker.actor("noop").message(1).copy(message_timestamp=clock.milliseconds)


@message_file("timestamp-whole-float")
def _(broker, clock):
    return broker.actor("noop").message(1).copy(message_timestamp=1795434026514.0)


@message_file("empty-names")
def _(broker, clock):
    return Message(queue_name="", actor_name="", args=(), kwargs={}, options={}, message_id="", message_timestamp=0)


# Options


@message_file("options-unknown")
def _(broker, clock):
    return broker.actor("noop").message_with_options(
        args=(1,), zz_custom={"nested": [1, 2.50, None]}, trace_id="4bf92f3577b34da6", other=[], aa_custom=None
    )


@message_file("options-all")
def _(broker, clock):
    callback = broker.actor("notify").message("done")
    message = broker.actor("noop").message_with_options(
        args=(1,),
        retries=2,
        max_retries=5,
        min_backoff=100,
        max_backoff=60_000,
        traceback="Traceback (most recent call last):\n  …\nValueError: no\n",
        requeue_timestamp=1795434026000,
        eta=1795434027000,
        max_age=3_600_000,
        time_limit=600_000,
        throws="ValueError",
        on_retry_exhausted="gave_up",
        on_success="succeeded",
        on_failure="failed",
        pipe_target=callback.asdict(),
        pipe_ignore=True,
        store_results=True,
        result_ttl=600_000,
        group_completion_uuid="00000000-0000-4000-b000-000000000001",
        group_completion_callbacks=[callback.asdict()],
        broker_priority=7,
        workflow_completion_callbacks=[["00000000-0000-4000-b000-000000000002", None, True]],
    )
    return message.copy(options={"redis_message_id": "00000000-0000-4000-8000-00000000cafe"})


@message_file("options-merged-by-copy")
def _(broker, clock):
    message = broker.actor("noop").message_with_options(args=(1,), max_retries=1, custom="kept", time_limit=1000)
    return message.copy(options={"time_limit": 2000, "max_age": 5, "max_retries": None})


# Delay


def delayed_message(broker):
    return broker.actor("noop").send_with_options(args=("later",), delay=5000, custom="kept")


@message_file("delayed")
def _(broker, clock):
    return delayed_message(broker)


@message_file("delayed-then-due")
def _(broker, clock):
    delayed = delayed_message(broker)
    move_when_due(broker, clock, delayed.queue_name)
    return broker.enqueued[-1]


def move_when_due(broker, clock, queue_name: str) -> None:
    """Lets dramatiq's consumer take a delayed message and, an hour later, put it on its queue."""
    consumer = broker.consume(queue_name)
    thread = ConsumerThread(
        broker=broker, queue_name=queue_name, prefetch=1, work_queue=None, worker_timeout=100
    )  # never started
    thread.consumer = consumer
    thread.handle_message(next(consumer))
    clock.advance(3600)
    thread.handle_delayed_messages()


# Retries

FAILING_TASK = """\
def charge(report):
    try:
        raise ValueError("card \\"4242\\" declined: 5 €")
    except ValueError as error:
        report(error)
"""
FAILING_TASK_FILE = "shop/tasks.py"


def fail(broker, middleware, message) -> None:
    """Fails in a file of a fixed name, so that the traceback holds no path of the machine."""
    linecache.cache[FAILING_TASK_FILE] = (len(FAILING_TASK), None, FAILING_TASK.splitlines(True), FAILING_TASK_FILE)
    task: dict = {}
    exec(compile(FAILING_TASK, FAILING_TASK_FILE, "exec"), task)
    proxy = dramatiq.MessageProxy(Message.decode(message.encode()))
    task["charge"](lambda error: middleware.after_process_message(broker, proxy, exception=error))


@message_file("retried-once")
def _(broker, clock):
    retries = Retries()
    broker.add_middleware(retries)
    fail(broker, retries, broker.actor("charge").send(42))
    return broker.enqueued[-1]


@message_file("retried-twice")
def _(broker, clock):
    retries = Retries()
    broker.add_middleware(retries)
    fail(broker, retries, broker.actor("charge").send(42))
    move_when_due(broker, clock, "default.DQ")
    fail(broker, retries, broker.enqueued[-1])
    return broker.enqueued[-1]


@message_file("retries-exhausted-callback")
def _(broker, clock):
    retries = Retries()
    broker.add_middleware(retries)
    broker.actor("gave_up")
    fail(broker, retries, broker.actor("charge", max_retries=0, on_retry_exhausted="gave_up").send(42))
    return broker.enqueued[-1]


@message_file("success-callback")
def _(broker, clock):
    callbacks = Callbacks()
    broker.add_middleware(callbacks)
    broker.actor("succeeded")
    message = broker.actor("charge").send_with_options(args=(42,), on_success="succeeded")
    callbacks.after_process_message(broker, dramatiq.MessageProxy(message), result={"paid": True})
    return broker.enqueued[-1]


@message_file("failure-callback")
def _(broker, clock):
    callbacks = Callbacks()
    broker.add_middleware(callbacks)
    broker.actor("failed")
    fail(broker, callbacks, broker.actor("charge").send_with_options(args=(42,), on_failure="failed"))
    return broker.enqueued[-1]


# Composition


def three_step_pipeline(broker):
    first = broker.actor("add").message(1, 2)
    second = broker.actor("add").message(3)
    third = broker.actor("report", queue="reports").message_with_options(kwargs={"to": "Zoë"}, pipe_ignore=True)
    return first | second | third


@message_file("pipeline-first")
def _(broker, clock):
    return three_step_pipeline(broker).messages[0]


@message_file("pipeline-second")
def _(broker, clock):
    pipelines = Pipelines()
    broker.add_middleware(pipelines)
    first = three_step_pipeline(broker).messages[0]
    pipelines.after_process_message(broker, dramatiq.MessageProxy(first), result=3)
    return broker.enqueued[-1]


@message_file("pipeline-third")
def _(broker, clock):
    pipelines = Pipelines()
    broker.add_middleware(pipelines)
    second = three_step_pipeline(broker).messages[1]
    pipelines.after_process_message(broker, dramatiq.MessageProxy(second), result=6)
    return broker.enqueued[-1]


@message_file("group-member")
def _(broker, clock):
    broker.add_middleware(GroupCallbacks(StubBackend()))
    members = group([broker.actor("add").message(1, 2), broker.actor("add").message(3, 4)], broker=broker)
    members.add_completion_callback(broker.actor("report").message("both added"))
    members.run()
    return broker.enqueued[-1]


@message_file("group-member-pipeline")
def _(broker, clock):
    broker.add_middleware(GroupCallbacks(StubBackend()))
    steps = pipeline([broker.actor("add").message(1, 2), broker.actor("add").message(3)], broker=broker)
    members = group([steps], broker=broker)
    members.add_completion_callback(broker.actor("report").message("added"))
    members.run(delay=250)
    return broker.enqueued[-1]


@message_file("workflow-member")
def _(broker, clock):
    broker.add_middleware(WorkflowMiddleware(StubBackend()))
    one, two, three = (broker.actor(name).message() for name in ["one", "two", "three"])
    Workflow(Chain(Group(one, two), WithDelay(three, 1000)), broker=broker).run()
    return broker.enqueued[0]


def files() -> dict[str, bytes]:
    captured = {}
    for name, make in CAPTURES.items():
        with pinned() as clock:
            captured[f"messages/{name}.json"] = make(RecordingBroker(), clock).encode()
    return captured
