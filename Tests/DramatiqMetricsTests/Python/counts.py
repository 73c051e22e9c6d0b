"""Runs a few messages through dramatiq's own worker and prints what its Prometheus middleware has counted, as JSON."""

import json
import os
import sys
import tempfile

os.environ["dramatiq_prom_db"] = tempfile.mkdtemp()

import dramatiq  # noqa: E402
import prometheus_client  # noqa: E402
from dramatiq.brokers.stub import StubBroker  # noqa: E402
from dramatiq.middleware import (  # noqa: E402
    AgeLimit,
    Middleware,
    Retries,
    SkipMessage,
)
from dramatiq.middleware.prometheus import Prometheus  # noqa: E402

definitions = []


def recording(kind):
    """The client's own type, which is told apart and makes figures as ever."""
    original = getattr(prometheus_client, kind)

    def make(name, documentation, labels, **settings):
        definitions.append({
            "name": name,
            "kind": kind.lower(),
            "labels": labels,
            "buckets": [b for b in settings.get("buckets", ()) if b != float("inf")],
        })
        return original(name, documentation, labels, **settings)

    setattr(prometheus_client, kind, make)


class Skip(Middleware):
    def before_process_message(self, broker, message):
        if message.actor_name == "skipped":
            raise SkipMessage("not today")


for kind in ["Counter", "Gauge", "Histogram"]:
    recording(kind)

prometheus = Prometheus()
broker = StubBroker(middleware=[prometheus, AgeLimit(), Retries(), Skip()])
dramatiq.set_broker(broker)
prometheus.after_process_boot(broker)


@dramatiq.actor(actor_name="works")
def works(number):
    pass


@dramatiq.actor(actor_name="fails", max_retries=2, min_backoff=1, max_backoff=1)
def fails():
    raise ValueError("as always")


@dramatiq.actor(actor_name="skipped", queue_name="other")
def skipped():
    pass


@dramatiq.actor(actor_name="late", max_age=1000)
def late():
    pass


for number in range(3):
    works.send(number)
works.send_with_options(args=(3,), delay=1)
fails.send()
skipped.send()
broker.enqueue(late.message().copy(message_timestamp=1))

worker = dramatiq.Worker(broker, worker_timeout=50, worker_threads=2)
worker.start()
for queue in ["default", "other"]:
    broker.join(queue, fail_fast=False)
worker.join()
worker.stop()

counts = {}
for figure in [
    prometheus.total_messages,
    prometheus.total_errored_messages,
    prometheus.total_retried_messages,
    prometheus.total_rejected_messages,
    prometheus.message_durations,
]:
    for metric in figure.collect():
        for sample in metric.samples:
            if sample.name.endswith(("_total", "_count")):
                labels = sample.labels
                key = f'{sample.name} {labels["queue_name"]} {labels["actor_name"]}'
                counts[key] = int(sample.value)

json.dump({"definitions": definitions, "counts": counts}, sys.stdout)
