"""Redis and S3, each with a real server on a free port."""

from __future__ import annotations

import os
import sys
import urllib.request

import boto3
import redis

from .support import MISSING, MemoryStore, Run, StoreCase, free_port, message, process
from dramatiq_workflow import Chain
from dramatiq_workflow_stores import RedisStore, S3Store, StoredCallbackStorage
from dramatiq_workflow_stores._contents import name_of

TEXT = b'[{"__type__":"chain","children":[]}]' * 50
DAY = 86_400


class RedisTests(StoreCase):
    @classmethod
    def setUpClass(cls) -> None:
        port = free_port()
        cls.url = f"redis://127.0.0.1:{port}"
        cls.client = redis.Redis.from_url(cls.url)

        def is_ready() -> bool:
            try:
                return bool(cls.client.ping())
            except redis.ConnectionError:
                return False

        arguments = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        cls.enterClassContext(process(arguments, is_ready))

    def setUp(self) -> None:
        super().setUp()
        self.client.flushall()
        self.store = RedisStore(self.client, "space")

    def key(self, content: bytes = TEXT) -> str:
        return f"space:__workflows__.{name_of(content)}"

    def test_layout(self) -> None:
        name = self.store.store(TEXT)
        self.assertEqual(self.client.get(self.key()), TEXT)
        self.assertAlmostEqual(self.client.pttl(self.key()) / 1000, 16 * DAY, delta=60)
        self.assertEqual(RedisStore(self.url, "space").load(name), TEXT)
        compressed = RedisStore(self.client, "space", compression="zlib", ttl=5)
        self.assertEqual(compressed.store(b"[%s]" % TEXT), name_of(b"[%s]" % TEXT))
        self.assertTrue(self.client.get(self.key(b"[%s]" % TEXT)).startswith(b"dramatiq-workflow 1 zlib "))
        self.assertLessEqual(self.client.pttl(self.key(b"[%s]" % TEXT)), 5000)
        self.assertEqual(self.store.load(name_of(b"[%s]" % TEXT)), b"[%s]" % TEXT)

    def test_times_never_become_shorter(self) -> None:
        name = self.store.store(TEXT)
        for call in [lambda: self.store.store(TEXT), lambda: self.store.keep(name)]:
            self.client.pexpire(self.key(), 1_000_000)
            call()
            self.assertGreater(self.client.pttl(self.key()), 15 * DAY * 1000)
            self.client.expire(self.key(), 400 * DAY)
            call()
            self.assertGreater(self.client.ttl(self.key()), 399 * DAY)
            self.client.persist(self.key())
            call()
            self.assertEqual(self.client.ttl(self.key()), -1)

    def test_what_is_missing_or_wrong(self) -> None:
        for call in [self.store.load, self.store.keep]:
            with self.refused("missing", MISSING):
                call(MISSING)
        name = self.store.store(TEXT)
        self.client.set(self.key(), b"something else")
        with self.refused("corrupt", self.key()):
            self.store.load(name)
        # Stored again, it is whole again.
        self.store.store(TEXT)
        self.assertEqual(self.store.load(name), TEXT)
        with self.refused("too_large"):
            RedisStore(self.client, "space", max_size=10).load(name)
        self.client.delete(self.key())
        self.client.lpush(self.key(), "x")
        with self.refused("unavailable", "WRONGTYPE"):
            self.store.load(name)
        with self.refused("unavailable"):
            RedisStore(f"redis://127.0.0.1:{free_port()}").load(name)
        with self.assertRaises(ValueError):
            RedisStore(redis.Redis.from_url(self.url, decode_responses=True))

    def test_version_1(self) -> None:
        """Stored under a barrier's id, and only followed if it came with that barrier."""
        rest = {"__type__": "chain", "children": []}
        self.client.set("space:__workflows__.barrier", '{"__type__":"chain","children":[]}', px=1000)
        storage = StoredCallbackStorage(self.store)
        stored = {"__type__": "stored", "by": "dedup.redis", "version": 1, "at": "barrier"}
        callbacks = storage.retrieve([["barrier", stored, False]])
        self.assertEqual(callbacks[0][1](), rest)
        self.assertGreater(self.client.pttl("space:__workflows__.barrier"), 15 * DAY * 1000)
        self.assertEqual(storage.store(callbacks), [["barrier", stored, False]])
        for id in ["other", "", "x" * 257]:
            with self.refused("invalid"):
                storage.retrieve([[id, {**stored, "at": "barrier" if id == "other" else id}, False]])
        self.client.delete("space:__workflows__.barrier")
        [(_, load, _)] = storage.retrieve([["barrier", stored, False]])
        with self.refused("missing"):
            load()
        self.client.set("space:__workflows__.barrier", "[]")
        with self.refused("invalid"):
            load()
        with self.refused("foreign", "dedup.redis"):
            StoredCallbackStorage(MemoryStore()).retrieve([["barrier", stored, False]])

    def test_a_workflow(self) -> None:
        storages = [StoredCallbackStorage(RedisStore(self.client, "space", compression="zlib")) for _ in range(2)]
        run = Run(storages).start(Chain(*[message(number, 300) for number in range(30)])).finish()
        self.assertEqual(len(run.tasks), 30)
        self.assertEqual(len(self.client.keys("space:*")), 1)


class S3Tests(StoreCase):
    @classmethod
    def setUpClass(cls) -> None:
        port = free_port()
        url = f"http://127.0.0.1:{port}"

        def is_ready() -> bool:
            try:
                return urllib.request.urlopen(f"{url}/moto-api/", timeout=5).status == 200
            except OSError:
                return False

        cls.enterClassContext(process([sys.executable, "-m", "moto.server", "-p", str(port)], is_ready))
        cls.client = boto3.client(
            "s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id="id", aws_secret_access_key="secret"
        )
        cls.client.create_bucket(Bucket="bucket")

    def setUp(self) -> None:
        super().setUp()
        for found in self.client.list_objects_v2(Bucket="bucket").get("Contents", []):
            self.client.delete_object(Bucket="bucket", Key=found["Key"])
        self.store = S3Store("bucket", client=self.client)

    def head(self, content: bytes = TEXT) -> dict:
        return self.client.head_object(Bucket="bucket", Key="workflows/" + name_of(content), ChecksumMode="ENABLED")

    def test_layout(self) -> None:
        name = self.store.store(TEXT)
        self.assertEqual(self.client.get_object(Bucket="bucket", Key=f"workflows/{name}")["Body"].read(), TEXT)
        self.assertEqual(self.head()["ContentType"], "application/json")
        self.assertIn("ChecksumSHA256", self.head())
        self.assertEqual(self.store.load(name), TEXT)
        S3Store("bucket", "other/", client=self.client, put_options={"ServerSideEncryption": "AES256"}).store(TEXT)
        found = self.client.head_object(Bucket="bucket", Key=f"other/{name}")
        self.assertEqual(found["ServerSideEncryption"], "AES256")

    def test_nothing_is_overwritten(self) -> None:
        name = self.store.store(TEXT)
        self.assertEqual(self.store.store(TEXT), name)
        # The same content, compressed.
        self.assertEqual(S3Store("bucket", client=self.client, compression="zlib").store(TEXT), name)
        self.assertEqual(self.client.get_object(Bucket="bucket", Key=f"workflows/{name}")["Body"].read(), TEXT)
        self.client.put_object(Bucket="bucket", Key=f"workflows/{name}", Body=b"something else")
        with self.refused("corrupt", f"workflows/{name} in the bucket bucket"):
            self.store.store(TEXT)
        with self.refused("corrupt"):
            self.store.load(name)
        self.assertEqual(self.head()["ContentLength"], 14)

    def test_ages(self) -> None:
        name = self.store.store(TEXT)
        mark = {"dramatiq-keep-until": "1999999999"}
        self.client.put_object(Bucket="bucket", Key=f"workflows/{name}", Body=TEXT, Metadata=mark)
        before = self.head()["ETag"], self.head()["LastModified"]
        self.store.keep(name)
        self.assertEqual((self.head()["ETag"], self.head()["LastModified"]), before)
        copies = []
        self.client.meta.events.register("before-call.s3.CopyObject", lambda **more: copies.append(more))
        S3Store._RENEWAL_INTERVAL, interval = -10, S3Store._RENEWAL_INTERVAL
        try:
            self.store.keep(name)
            self.store.store(TEXT)
        finally:
            S3Store._RENEWAL_INTERVAL = interval
        self.assertEqual(len(copies), 2)
        # What Swift has noted stays.
        self.assertEqual(self.head()["Metadata"], mark)
        self.assertEqual(self.store.load(name), TEXT)

    def test_what_is_missing(self) -> None:
        for call in [self.store.load, self.store.keep]:
            with self.refused("missing", f"workflows/{MISSING}"):
                call(MISSING)
        with self.refused("too_large"):
            S3Store("bucket", client=self.client, max_size=10).load(self.store.store(TEXT))
        unreachable = boto3.client(
            "s3", endpoint_url=f"http://127.0.0.1:{free_port()}", region_name="us-east-1", aws_access_key_id="id",
            aws_secret_access_key="a-secret", config=boto3.session.Config(retries={"total_max_attempts": 1}),
        )  # fmt: skip
        with self.refused("unavailable", "bucket"):
            S3Store("bucket", client=unreachable).store(TEXT)

    def test_one_who_stores_at_the_same_moment(self) -> None:
        """S3 then says 409, which is over soon."""
        answers = [409, 409, 200]

        class Conflict(Exception):
            response = {"ResponseMetadata": {"HTTPStatusCode": 409}}

        class Client:
            def put_object(self, **more):
                if answers.pop(0) == 409:
                    raise Conflict

        S3Store("bucket", client=Client()).store(TEXT)
        self.assertEqual(answers, [])
        answers = [409] * 10
        with self.refused("unavailable"):
            S3Store("bucket", client=Client()).store(TEXT)

    def test_a_workflow(self) -> None:
        storages = [StoredCallbackStorage(S3Store("bucket", client=self.client, compression="zlib")) for _ in range(2)]
        run = Run(storages).start(Chain(*[message(number, 300) for number in range(20)])).finish()
        self.assertEqual(len(run.tasks), 20)
        self.assertEqual(len(self.client.list_objects_v2(Bucket="bucket")["Contents"]), 1)
