"""A broker without a network that tells what was enqueued."""

from __future__ import annotations

from collections.abc import Callable

import dramatiq
from dramatiq.brokers.stub import StubBroker


class RecordingBroker(StubBroker):
    """Hands every message, as it lies in its queue, to `on_enqueue`."""

    def __init__(self, middleware=(), on_enqueue: Callable[[dramatiq.Message, int | None], None] | None = None):
        super().__init__(middleware=list(middleware))
        self.enqueued: list[dramatiq.Message] = []
        self.on_enqueue = on_enqueue

    def enqueue(self, message, *, delay=None):
        stored = super().enqueue(message, delay=delay)
        self.enqueued.append(stored)
        if self.on_enqueue is not None:
            self.on_enqueue(stored, delay)
        return stored

    def actor(self, name: str, *, queue: str = "default", **options) -> dramatiq.Actor:
        """Declares an actor that does nothing, or returns the one of that name."""
        if name not in self.actors:
            dramatiq.actor(lambda *args, **kwargs: None, actor_name=name, queue_name=queue, broker=self, **options)
        return self.actors[name]
