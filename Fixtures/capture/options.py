"""What dramatiq's middleware and worker make of each option, for every type of JSON value."""

from __future__ import annotations

import json
import math
import threading
from types import SimpleNamespace
from unittest import mock

import dramatiq
from dramatiq.broker import MessageProxy
from dramatiq.brokers.stub import StubBroker
from dramatiq.common import current_millis
from dramatiq.middleware import AgeLimit, Callbacks, Pipelines, Retries, ShutdownNotifications, SkipMessage, TimeLimit
from dramatiq.worker import ConsumerThread
from dramatiq_workflow import Workflow
from dramatiq_workflow._serialize import unserialize_workflow

from .pins import pinned
from .text import document, rows

VALUES = [None, False, True, 0, 1, 3, -1, 2500, 10**30, 10**400, 0.0, 0.5, 2.5, 2500.5, -2500.5, 1e15, 1e300]
VALUES += [math.nan, math.inf, -math.inf, "", "x", "3", "told", [], [3], {}, {"a": 1}]

NOW = 1795434026514
ETAS = [NOW + offset for offset in (-1000, 0, 1, 1000)] + [NOW - 0.5, NOW + 0.25, NOW + 1000.5]

RAISED = ValueError("no")


class Stage:
    """A broker with one actor and a target for callbacks, one message, and what the middleware enqueue."""

    def __init__(self, middleware, options, actor_options):
        self.broker = StubBroker(middleware=[middleware])
        self.sent = []
        self.broker.enqueue = self.enqueue
        dramatiq.actor(lambda *args: None, actor_name="told", broker=self.broker)
        self.broker.actors["task"] = SimpleNamespace(actor_name="task", options=actor_options, priority=0)
        self.message = MessageProxy(
            dramatiq.Message("default", "task", (), {}, options, message_timestamp=NOW - 1000)
        )

    def enqueue(self, message, *, delay=None):
        eta = None if delay is None else current_millis() + delay
        self.sent.append((message, eta))
        return message


def given(option, source, value, more=None):
    """The options of the message, and those of the actor."""
    return ({option: value, **(more or {})}, {}) if source == "message" else (dict(more or {}), {option: value})


def time_limit(options, actor_options):
    middleware = TimeLimit(time_limit=600_000)
    stage = Stage(middleware, options, actor_options)
    with mock.patch("dramatiq.middleware.time_limit.monotonic", lambda: 0):
        middleware.before_process_message(stage.broker, stage.message)
    deadline = middleware.manager.deadlines[threading.get_ident()]
    return "none" if deadline == math.inf or math.isnan(deadline) else deadline * 1000


def max_age(options, actor_options):
    middleware = AgeLimit(max_age=500)
    stage = Stage(middleware, options, actor_options)
    try:
        middleware.before_process_message(stage.broker, stage.message)
    except SkipMessage:
        return "skipped"
    return "runs"


def notify_shutdown(options, actor_options):
    middleware = ShutdownNotifications(notify_shutdown=True)
    stage = Stage(middleware, options, actor_options)
    return middleware.should_notify(stage.broker.get_actor("task"), stage.message)


def retried(options, actor_options):
    """The longest and the shortest wait, or what the target of on_retry_exhausted gets."""
    waits = []
    for draw in [lambda low, high: float(low), lambda low, high: float(high)]:
        middleware = Retries(max_retries=2, min_backoff=1000, max_backoff=100_000)
        stage = Stage(middleware, dict(options), {"on_retry_exhausted": "told", **actor_options})
        with mock.patch("dramatiq.common.uniform", draw):
            middleware.after_process_message(stage.broker, stage.message, exception=RAISED)
        if stage.message.failed:
            return {"exhausted": stage.sent[0][0].args[1], "retries": stage.message.options["retries"]}
        message, eta = stage.sent[0]
        waits.append(eta - NOW)
    return {"retries": message.options["retries"], "waits": waits}


def callback(options, actor_options):
    sent = []
    for exception in [None, RAISED]:
        stage = Stage(Callbacks(), options, actor_options)
        Callbacks().after_process_message(stage.broker, stage.message, result=None, exception=exception)
        sent += [message.actor_name for message, _ in stage.sent]
    return sent


def exhausted(options, actor_options):
    middleware = Retries(max_retries=0)
    stage = Stage(middleware, options, actor_options)
    middleware.after_process_message(stage.broker, stage.message, exception=RAISED)
    return [message.actor_name for message, _ in stage.sent]


def piped(options, actor_options, target=None):
    options = options if target is None else {"pipe_target": target}
    stage = Stage(Pipelines(), options, actor_options)
    Pipelines().after_process_message(stage.broker, stage.message, result=7)
    return [{"args": message.args, "due": due(eta)} for message, eta in stage.sent]


def due(eta):
    """From which millisecond on a delayed message is due."""
    if eta is None or not eta > NOW:
        return "now"
    return "never" if eta > 2**63 else math.ceil(eta)


def eta(options, _):
    stage = Stage(Pipelines(), options, {})
    thread = mock.Mock(broker=stage.broker)
    ConsumerThread.handle_message(thread, stage.message)
    if thread.logger.warning.called:
        return "warning"
    return due(thread.delay_queue.put.call_args.args[0].priority) if thread.delay_queue.put.called else "now"


def with_delay(value, inner):
    """When the task of a with_delay is due, or that of one in another one."""
    stage = Stage(Pipelines(), {}, {})
    node = {"__type__": "message", **dramatiq.Message("default", "told", (), {}, {}, message_id="next").asdict()}
    for delay in inner:
        node = {"__type__": "with_delay", "delay": delay, "task": node}
    node = {"__type__": "with_delay", "delay": value, "task": node}
    Workflow(unserialize_workflow(node), stage.broker).run()
    return due(stage.sent[0][1])


def outcome(function, *arguments):
    try:
        return function(*arguments)
    except Exception:
        return "error"


def table():
    def row(option, source, value, function, *arguments):
        return {"option": option, "from": source, "value": value, "outcome": outcome(function, *arguments)}

    both = ["message", "actor"]
    for value in VALUES:
        for option, function in [("time_limit", time_limit), ("max_age", max_age), ("notify_shutdown", notify_shutdown)]:
            for source in both:
                yield row(option, source, value, function, *given(option, source, value))
        for option in ["max_retries", "min_backoff", "max_backoff", "throws"]:
            for source in both:
                yield row(option, source, value, retried, *given(option, source, value, {"retries": 1}))
        yield row("retries", "message", value, retried, {"retries": value}, {"max_retries": 4})
        for option in ["on_success", "on_failure"]:
            for source in both:
                yield row(option, source, value, callback, *given(option, source, value))
        for source in both:
            yield row("on_retry_exhausted", source, value, exhausted, *given("on_retry_exhausted", source, value))
        yield row("pipe_target", "message", value, piped, {"pipe_target": value}, {})
        target = dramatiq.Message("default", "told", (1,), {}, {}, message_id="next", message_timestamp=NOW).asdict()
        for option in ["pipe_ignore", "delay"]:
            yield row(option, "target", value, piped, {}, {}, {**target, "options": {option: value}})
        yield row("pipe_ignore", "actor", value, piped, {}, {"pipe_ignore": value}, target)
        yield row("with_delay", "node", value, with_delay, value, [])
        yield row("with_delay", "node around one of 5000", value, with_delay, value, [5000])
    for value in VALUES + ETAS:
        yield row("eta", "message", value, eta, {"eta": value}, {})


def files() -> dict[str, bytes]:
    with pinned():
        return {"options.json": document(rows(table()))}
