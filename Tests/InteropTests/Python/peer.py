"""Python's side of the tests that share a Redis server with Python's dramatiq and dramatiq-workflow.

    peer.py work URL NAMESPACE HEARTBEAT ACTORS [QUEUES]   a worker; ACTORS: name@queue,name@queue; QUEUES: those it
                                                  takes from, as with dramatiq's --queues
    peer.py start URL NAMESPACE                   starts the workflows of its input, one per line as JSON
    peer.py send URL NAMESPACE QUEUE              sends the messages of its input, one per line as JSON
    peer.py parse                                 reads the URLs of its input as redis-py does, prints JSON
    peer.py receive URL NAMESPACE QUEUE COUNT     takes messages and prints them, one per line as JSON
    peer.py bucket ENDPOINT                       makes a bucket for workflows
    peer.py objects ENDPOINT                      prints the keys that are in it
    peer.py results URL STYLE                     keeps results, hashed or readable; its input's lines are JSON: [message, value],
                                                  or [message, type, text] for an error
    peer.py groups URL NAMESPACE                  runs a group for each line of its input, a JSON array of messages, the last of
                                                  which is the completion callback
    peer.py await URL STYLE                       prints the results of the messages of its input, each as JSON: [value], or
                                                  [type, text] of an error
    peer.py dates                                 reads dates, one per line, and prints them again
    peer.py memcached SERVERS                     calls methods of a MemcachedBackend, or of a Barrier over it, as the
                                                  lines of its input say, each a JSON array; prints results as JSON

With STORAGE in the environment what remains of workflows is stored, as Swift's SharedStorage has it. With LZ4 messages are compressed, as in dramatiq-workflow's example of an encoder. With HOLD tasks with a
negative time never end. With RESULTS the results of all tasks are kept, of those
that ask for it if it is "asked". With GROUPS dramatiq's groups are served. With MEMCACHED, a list of servers, barriers are kept there, and with COUNTING_BARRIERS they are
dramatiq's own.
"""

import datetime
import functools
import json
import os
import sys
import threading
import time

import dramatiq
import redis
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import CurrentMessage, GroupCallbacks
from dramatiq.rate_limits import Barrier, ConcurrentRateLimiter, WindowRateLimiter
from dramatiq.rate_limits.backends import MemcachedBackend, RedisBackend
from dramatiq.results import ResultFailure, Results
from dramatiq.results.backends import RedisBackend as RedisResultBackend
from dramatiq_workflow import Workflow, WorkflowMiddleware
from dramatiq_workflow._barrier import AtMostOnceBarrier
from dramatiq_workflow._serialize import unserialize_workflow

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../Python"))

from dramatiq_workflow_stores import FileStore, RedisStore, S3Store, StoredCallbackStorage, TieredStore  # noqa: E402


def keep_in_slot(namespace):
    """Lets completion ids begin with the namespace's tag: they are keys ("Run over Redis")."""
    import dramatiq_workflow._base as base

    tag = namespace[namespace.find("{") : namespace.find("}") + 1]
    make = base.uuid4
    base.uuid4 = lambda: f"{tag}{make()}"


class LZ4Encoder(dramatiq.JSONEncoder):
    def encode(self, data):
        import lz4.frame

        return lz4.frame.compress(super().encode(data))

    def decode(self, data):
        import lz4.frame

        try:
            text = lz4.frame.decompress(data)
        except RuntimeError:
            # No frame: it was not compressed.
            text = data
        return super().decode(text)


class Failure(Exception):
    pass


class AtMostOnceMemcachedBackend(MemcachedBackend):
    """As in "Keep barriers and rate limits in Memcached": Memcached can't add to -1, with which an AtMostOnceBarrier begins."""

    def add(self, key, value, ttl):
        return super().add(key, b"18446744073709551615\0" if value < 0 else value, ttl)


def make_backend(url):
    if "MEMCACHED" in os.environ:
        return AtMostOnceMemcachedBackend(servers=os.environ["MEMCACHED"].split(","), binary=True)
    return RedisBackend(url=url)


class NotingStorage(StoredCallbackStorage):
    """Notes which contents it has stored, or was given references to."""

    def __init__(self, store, client, key, is_starting):
        super().__init__(store, inline_limit=0)
        self.note = functools.partial(client.sadd, key)
        self.is_starting = is_starting

    def store(self, callbacks):
        reference = super().store(callbacks)
        if self.is_starting:
            self.note_name(reference)
        return reference

    def retrieve(self, reference):
        if not self.is_starting:
            self.note_name(reference)
        return super().retrieve(reference)

    def note_name(self, reference):
        if isinstance(reference, dict):
            self.note(reference["at"] if isinstance(reference["at"], str) else reference["at"][0])


def s3(endpoint):
    """For the server in s3_server.py."""
    import boto3

    return boto3.client(
        "s3", endpoint_url=endpoint, region_name="eu-central-1", aws_access_key_id="AKIDTEST",
        aws_secret_access_key="secret/of+the-test",
    )


def make_bucket(endpoint):
    place = {"LocationConstraint": "eu-central-1"}
    s3(endpoint).create_bucket(Bucket="workflows", CreateBucketConfiguration=place)


def list_objects(endpoint):
    for found in s3(endpoint).list_objects_v2(Bucket="workflows").get("Contents", []):
        print(found["Key"])


def make_storage(url, namespace, role):
    if "STORAGE" not in os.environ:
        return None
    words, _, place = os.environ["STORAGE"].partition(":")
    kind, _, codec = words.partition("+")
    compression = "zlib" if codec == "zlib" else None
    client = redis.Redis.from_url(url)
    if kind.endswith("file"):
        store = FileStore(place, compression=compression)
    elif kind.endswith("tiers"):
        store = TieredStore(RedisStore(client, namespace), FileStore(place), limit=800)
    elif kind.endswith("s3"):
        store = S3Store("workflows", client=s3(place), compression=compression)
    else:
        store = RedisStore(client, namespace, compression=compression)
    return NotingStorage(store, client, f"{namespace}:names:python:{role}", role == "start")


def make_broker(url, namespace, heartbeat=60_000, role="work"):
    if "LZ4" in os.environ:
        dramatiq.set_encoder(LZ4Encoder())
    if "{" in namespace:
        keep_in_slot(namespace)
    # Python looks for dead workers by chance; here with every thousandth command, and more often in a short lease.
    chance = 1_000_000 if heartbeat < 5_000 else 1_000
    broker = RedisBroker(
        url=url, namespace=namespace, heartbeat_timeout=heartbeat, maintenance_chance=chance
    )
    broker.add_middleware(CurrentMessage())
    if "RESULTS" in os.environ:
        broker.add_middleware(Results(backend=RedisResultBackend(url=url), store_results=os.environ["RESULTS"] != "asked"))
    barrier_type = Barrier if "COUNTING_BARRIERS" in os.environ else AtMostOnceBarrier
    storage = make_storage(url, namespace, role)
    broker.add_middleware(
        WorkflowMiddleware(make_backend(url), barrier_type=barrier_type, callback_storage=storage)
    )
    if "GROUPS" in os.environ:
        broker.add_middleware(GroupCallbacks(make_backend(url)))
    dramatiq.set_broker(broker)
    return broker


def work(url, namespace, heartbeat, actors, queues=""):
    broker = make_broker(url, namespace, int(heartbeat))
    client = redis.Redis.from_url(url)

    def note(event, workflow, task, enqueue):
        client.rpush(
            f"{namespace}:events", f"{event} {workflow} {task} {enqueue} {int(time.time() * 1000)}"
        )

    def run(workflow, task, failures, milliseconds):
        options = CurrentMessage.get_current_message().options
        enqueue = options["redis_message_id"]
        note("start", workflow, task, enqueue)
        if options.get("retries", 0) < failures:
            raise Failure()
        if milliseconds > 0:
            time.sleep(milliseconds / 1000)
        if milliseconds < 0 and "HOLD" in os.environ:
            threading.Event().wait()
        note("end", workflow, task, enqueue)
        if "RESULTS" in os.environ:
            return {"task": task}

    for actor in actors.split(","):
        name, queue = actor.split("@")
        dramatiq.actor(run, actor_name=name, queue_name=queue, broker=broker)
    broker.emit_after("process_boot")
    worker = dramatiq.Worker(
        broker, queues=set(filter(None, queues.split(","))), worker_timeout=20, worker_threads=8
    )
    worker.start()
    # Ends with the input, and so with the process that started this one.
    while sys.stdin.buffer.read1(4096):
        pass
    worker.stop()


def start(url, namespace):
    broker = make_broker(url, namespace, role="start")
    broker.emit_after("process_boot")
    for line in sys.stdin:
        Workflow(unserialize_workflow(json.loads(line)), broker).run()


def send(url, namespace, queue):
    broker = make_broker(url, namespace)
    broker.declare_queue(queue)
    for line in sys.stdin.buffer:
        message = dramatiq.Message(**json.loads(line))
        broker.enqueue(message.copy(queue_name=queue))


def receive(url, namespace, queue, count):
    broker = make_broker(url, namespace)
    broker.declare_queue(queue)
    consumer = broker.consume(queue, prefetch=100, timeout=20)
    left = int(count)
    while left > 0:
        message = next(consumer)
        if message is not None:
            sys.stdout.buffer.write(dramatiq.JSONEncoder().encode(message.asdict()) + b"\n")
            consumer.ack(message)
            left -= 1


def run_groups(url, namespace):
    broker = make_broker(url, namespace)
    for line in sys.stdin:
        *members, callback = [dramatiq.Message(**message) for message in json.loads(line)]
        for queue in {message.queue_name for message in members}:
            broker.declare_queue(queue)
        group = dramatiq.group(members, broker=broker)
        group.add_completion_callback(callback)
        group.run()


def results(url, style):
    backend = RedisResultBackend(url=url, use_namespace_prefix_keys=style == "readable")
    for line in sys.stdin:
        message, *result = json.loads(line)
        message = dramatiq.Message(**message)
        if len(result) == 1:
            backend.store_result(message, result[0], 60_000)
        else:
            backend.store_exception(message, type(result[0], (Exception,), {})(result[1]), 60_000)


def await_results(url, style):
    backend = RedisResultBackend(url=url, use_namespace_prefix_keys=style == "readable")
    for line in sys.stdin:
        try:
            result = [dramatiq.Message(**json.loads(line)).get_result(backend=backend, block=True, timeout=60_000)]
        except ResultFailure as error:
            result = [error.orig_exc_type, error.orig_exc_msg]
        print(json.dumps(result))


def dates():
    for line in sys.stdin:
        print(datetime.datetime.fromisoformat(line.strip()).isoformat())


def call_memcached(servers):
    backend = AtMostOnceMemcachedBackend(servers=servers.split(","), binary="BINARY" in os.environ)
    with backend.pool.reserve() as client:
        functions = {
            "get": client.get,
            "set": client.set,
            "add": backend.add,
            "incr": backend.incr,
            "decr": backend.decr,
            "sum": lambda key, keys, *rest: backend.incr_and_sum(key, lambda: keys, *rest),
            "create": lambda kind, key, parties: barriers[kind](backend, key).create(parties),
            "arrive": lambda kind, key: barriers[kind](backend, key).wait(block=False),
            "acquire": lambda key, limit: ConcurrentRateLimiter(backend, key, limit=limit)._acquire(),
            "release": lambda key, limit: ConcurrentRateLimiter(backend, key, limit=limit)._release(),
            "window": lambda key, limit, window: WindowRateLimiter(
                backend, key, limit=limit, window=window
            )._acquire(),
        }
        barriers = {"counting": Barrier, "once": AtMostOnceBarrier}
        for line in sys.stdin.buffer:
            name, *arguments = json.loads(line)
            try:
                result = functions[name](*arguments)
            except Exception as error:
                result = type(error).__name__
            print(json.dumps(result))


def parse():
    for line in sys.stdin.buffer:
        try:
            parsed = redis.connection.parse_url(line.decode().removesuffix("\n"))
            parsed["encrypted"] = parsed.pop("connection_class", None) is redis.connection.SSLConnection
        except ValueError as error:
            parsed = {"error": str(error)}
        print(json.dumps(parsed))


if __name__ == "__main__":
    commands = {
        "work": work, "start": start, "send": send, "receive": receive, "parse": parse, "dates": dates,
        "memcached": call_memcached, "bucket": make_bucket, "objects": list_objects,
        "groups": run_groups, "results": results, "await": await_results,
    }
    commands[sys.argv[1]](*sys.argv[2:])
