"""References and positions, read and written."""

from __future__ import annotations

import itertools
import json
import random
import sys
from unittest import mock

from dramatiq_workflow import Chain, Group, InlineCallbackStorage
from dramatiq_workflow._serialize import serialize_workflow

from .support import MISSING, SEED, MemoryStore, Run, StoreCase, encoded, fixture, message, together, tree
from dramatiq_workflow_stores import StoredCallbackStorage, StoreError
from dramatiq_workflow_stores._cache import Renewals


def loaded(callbacks) -> list:
    return [[id, rest() if callable(rest) else rest, propagates] for id, rest, propagates in callbacks]


class FixtureTests(StoreCase):
    def setUp(self) -> None:
        super().setUp()
        self.memory = MemoryStore()
        self.contents = fixture("contents")
        for content in self.contents:
            self.memory.add(content["name"], content["text"])
        self.storage = StoredCallbackStorage(self.memory)

    def test_every_position_of_every_content(self) -> None:
        for content in self.contents:
            for position, rest in enumerate(content.get("rests", [])):
                with self.subTest(content["why"], position=position):
                    reference = {
                        "__type__": "stored", "by": "x", "version": 2, "at": [content["name"], [["a", position, False]]]
                    }
                    [(_, remaining, _)] = self.storage.retrieve(reference)
                    if rest is None:
                        with self.refused("invalid", content["name"]):
                            remaining()
                    else:
                        self.assertEqual(encoded(remaining()), encoded(rest))
                        # What was given out is the caller's to change.
                        remaining()["children"].clear()
                        remaining().pop("__type__")
                        self.assertEqual(encoded(remaining()), encoded(rest))

    def test_every_rest_is_found_again(self) -> None:
        """A step that leaves what a content has stores nothing."""
        for content in self.contents:
            for position, rest in enumerate(content.get("rests", [])):
                if rest is None:
                    continue
                with self.subTest(content["why"], position=position):
                    at = [content["name"], [["a", position, False]]]
                    reference = {"__type__": "stored", "by": "dedup.x", "version": 2, "at": at}
                    [(_, remaining, _)] = self.storage.retrieve(reference)
                    rest = remaining()
                    written = self.storage.store([("b", rest, False)])
                    if written["at"][1] != [["b", position, False]]:
                        # The same rest at another position.
                        other = content["rests"][written["at"][1][0][1]]
                        self.assertEqual(encoded(other), encoded(rest))
                    self.assertEqual(written["by"], "dedup.x")
        self.assertEqual(self.memory.puts, [])

    def test_valid_references(self) -> None:
        for case in fixture("valid"):
            with self.subTest(case["why"]):
                callbacks = self.storage.retrieve(case["reference"])
                self.assertEqual(encoded(loaded(callbacks)), encoded(case["callbacks"]))
                # Carried on, they stand for the same.
                written = json.loads(json.dumps(self.storage.store(self.storage.retrieve(case["reference"]))))
                self.assertEqual(encoded(loaded(self.storage.retrieve(written))), encoded(case["callbacks"]))
        self.assertEqual(self.memory.puts, [])

    def test_hostile_references(self) -> None:
        for case in fixture("hostile"):
            with self.subTest(case["why"]):
                before = encoded(case["reference"])
                try:
                    callbacks = self.storage.retrieve(case["reference"])
                except StoreError as error:
                    self.assertEqual(case["when"], "retrieve", str(error))
                    self.assertLess(len(str(error)), 3000)
                else:
                    self.assertEqual(case["when"], "load")
                    with self.assertRaises(StoreError):
                        loaded(callbacks)
                self.assertEqual(encoded(case["reference"]), before)

    def test_random_references(self) -> None:
        """Parts of references put together by chance: each is read, or refused with an error of ours."""
        print(f"\nreferences: TEST_SEED={SEED}", file=sys.stderr)
        draw = random.Random(SEED)
        cases = [case["reference"] for name in ("valid", "hostile") for case in fixture(name)]
        atoms = [None, True, -1, 0, 3, 2**70, 1.5, float("nan"), "", "x", [], {}, self.contents[0]["name"], MISSING]
        atoms += ["\ud800", "sha256:" + "0" * 64]

        def mutated(value, depth=0):
            if draw.random() < 0.08:
                return draw.choice(atoms + cases)
            if isinstance(value, dict):
                return {key: mutated(part, depth + 1) for key, part in value.items() if draw.random() > 0.02}
            if isinstance(value, list):
                value = [mutated(part, depth + 1) for part in value if draw.random() > 0.02]
                return value * draw.choice([1] * 20 + [0, 2])
            return value

        outcomes = {"read": 0, "refused": 0}
        for _ in range(20_000):
            reference = mutated(draw.choice(cases))
            try:
                loaded(self.storage.retrieve(reference))
                outcomes["read"] += 1
            except StoreError:
                outcomes["refused"] += 1
        self.assertGreater(min(outcomes.values()), 1000, outcomes)

    def test_random_contents(self) -> None:
        draw = random.Random(SEED)
        texts = [content["text"] for content in self.contents]
        for _ in range(5_000):
            text = bytearray(draw.choice(texts).encode())
            for _ in range(draw.randrange(1, 4)):
                index = draw.randrange(len(text))
                end = index + draw.randrange(3)
                text[index:end] = draw.choice([b"", b"[", b"{", b'"', b"null", b"\xff", b"1e999", text[end : end + 30]])
                text = text or bytearray(b" ")
            store = MemoryStore()
            storage = StoredCallbackStorage(store)
            name = store.store(bytes(text))
            for position in (0, 1, 2, 7):
                at = [name, [["a", position, True]]]
                try:
                    loaded(storage.retrieve({"__type__": "stored", "by": "x", "version": 2, "at": at}))
                except StoreError:
                    pass
            try:
                loaded(storage.retrieve({"__type__": "stored", "by": "x", "version": 2, "at": name}))
            except StoreError:
                pass

    def test_of_a_key_that_appears_twice_the_last_one_counts(self) -> None:
        name = self.memory.store(b'[{"__type__":"group","children":[],"__type__":"chain","children":[%s]}]' % (
            json.dumps({"__type__": "message", "message_id": "1"}).encode()
        ))
        [(_, rest, _)] = self.storage.retrieve(
            {"__type__": "stored", "by": "x", "version": 2, "at": [name, [["a", 1, False]]]}
        )
        self.assertEqual(len(rest()["children"]), 1)

    def test_deep_contents(self) -> None:
        for text in ["[" * 100_000, '[{"__type__":"chain","children":' * 50_000, "[" * 5_000 + "]" * 5_000]:
            name = self.memory.store(text.encode())
            [(_, rest, _)] = self.storage.retrieve(
                {"__type__": "stored", "by": "x", "version": 2, "at": [name, [["a", 1, False]]]}
            )
            with self.assertRaises(StoreError) as caught:
                rest()
            self.assertIn(caught.exception.code, ["too_deep", "invalid"])

    def test_what_is_missing_is_said_with_whose_it_is(self) -> None:
        [(_, rest, _)] = self.storage.retrieve(
            {"__type__": "stored", "by": "dedup.attic", "version": 2, "at": [MISSING, [["a", 1, False]]]}
        )
        with self.refused("missing", "dedup.attic"):
            rest()


class WritingTests(StoreCase):
    def run_it(self, workflow, storages=None, order=None) -> tuple[Run, MemoryStore]:
        store = MemoryStore()
        storages = storages or [StoredCallbackStorage(store) for _ in range(3)]
        for storage in storages:
            storage.workflows = store
        return Run(storages, order).start(workflow).finish(), store

    def test_a_chain_is_stored_once(self) -> None:
        run, store = self.run_it(Chain(*[message(number, 100) for number in range(60)]))
        self.assertEqual([task[1][0] for task in run.tasks], list(range(60)))
        self.assertEqual(len(store.puts), 1)
        # Three workers, each of which reads it once.
        self.assertLessEqual(len(store.gets), 3)
        self.assertLess(max(run.sizes), 600)

    def test_nested_workflows_are_stored_once(self) -> None:
        numbers = itertools.count()

        def nested(depth: int):
            if not depth:
                return message(next(numbers), 300)
            part = nested(depth - 1)
            return Chain(message(next(numbers), 900), Group(part, message(next(numbers))), message(next(numbers), 300))

        run, store = self.run_it(nested(10))
        self.assertEqual(len(run.tasks), next(numbers))
        self.assertEqual(len(store.puts), 1)
        self.assertLess(max(run.sizes), 2500)

    def test_a_group_stores_what_comes_after_it_once(self) -> None:
        after = [message(1000 + number, 200) for number in range(30)]
        members = [Chain(message(number), message(100 + number)) for number in range(50)]
        run, store = self.run_it(Chain(Group(*members), *after))
        self.assertEqual(len(run.tasks), 130)
        self.assertEqual(len(store.puts), 1)

    def test_small_workflows_stay_in_the_messages(self) -> None:
        run, store = self.run_it(Chain(message(1), Group(message(2), message(3)), message(4)))
        self.assertEqual(len(run.tasks), 4)
        self.assertEqual((store.puts, store.gets, store.keeps), ([], [], []))

    def test_random_trees_run_as_inline(self) -> None:
        print(f"\ntrees: TEST_SEED={SEED}", file=sys.stderr)
        positions = 0
        for index in range(150):
            with self.subTest(seed=SEED, tree=index):
                limit = [0, 300, 4096][index % 3]

                def make():
                    ids = random.Random(f"{SEED} {index}")
                    with mock.patch("uuid.uuid4", lambda: ids.getrandbits(64)), mock.patch("time.time", lambda: 1.0):
                        return tree(random.Random(f"{SEED} {index}"), 4, itertools.count())

                storages = [StoredCallbackStorage(MemoryStore(), inline_limit=limit) for _ in range(2)]
                run, store = self.run_it(make(), storages, random.Random(index))
                inline = Run([InlineCallbackStorage()], random.Random(index)).start(make()).finish()
                self.assertEqual(run.tasks, inline.tasks)
                self.assertEqual(len(store.puts), len(set(store.puts)))
                positions += len(store.puts)
        self.assertGreater(positions, 30)

    def test_what_looks_alike_is_not_the_same(self) -> None:
        """Ids may repeat: true is not 1, 1 is not 1.0, and what differs is stored anew."""
        store = MemoryStore()
        storage = StoredCallbackStorage(store, inline_limit=0)

        def rest(value):
            same = message(0, message_id="same", message_timestamp=1).copy(args=(value,))
            return serialize_workflow(Chain(same, same, same))

        values = [1, True, 1.0, "1", None, -0.0, 0.0, [1], {"a": 1}]
        written = [encoded(storage.store([("a", rest(value), False)])) for value in values]
        self.assertEqual(len(set(written)), len(written))
        self.assertEqual(len(store.puts), len(written))
        # Not a number is itself, and a tuple is an array.
        for value in [float("nan"), (1, (2,))]:
            storage.store([("a", rest(value), False)])
            count = len(store.puts)
            storage.store([("a", rest(value), False)])
            self.assertEqual(len(store.puts), count)
        # One message again and again is found at the right place, by how many are left.
        shorter = {**rest({"a": 1}), "children": rest({"a": 1})["children"][1:]}
        storage.store([("a", rest({"a": 1}), False)])
        self.assertEqual(storage.store([("b", shorter, False)])["at"][1], [["b", 2, False]])

    def test_what_json_cannot_say_is_left_to_the_encoder(self) -> None:
        storage = StoredCallbackStorage(MemoryStore(), inline_limit=0)
        rest = serialize_workflow(Chain(message(1).copy(args=({1, 2},))))
        self.assertEqual(storage.store([("a", rest, False)]), [["a", rest, False]])
        loop = serialize_workflow(Chain(message(1)))
        loop["children"].append(loop)
        self.assertIs(storage.store([("a", loop, False)])[0][1], loop)

    def test_what_is_too_large_starts_nothing(self) -> None:
        storage = StoredCallbackStorage(MemoryStore(max_size=5000))
        with self.refused("too_large", "limit is 5000"):
            storage.store([("a", serialize_workflow(Chain(message(1, 6000))), False)])

    def test_other_storages_callables_are_loaded(self) -> None:
        storage = StoredCallbackStorage(MemoryStore(), inline_limit=0)
        rest = serialize_workflow(Chain(message(1)))
        written = storage.store([("a", lambda: rest, False), ("b", None, True)])
        self.assertEqual(written["at"][1], [["a", 1, False], ["b", None]])
        with self.assertRaises(TypeError):
            storage.store([("a", 7, False)])

    def test_what_came_inline_is_carried_on_inline(self) -> None:
        store = MemoryStore()
        storage = StoredCallbackStorage(store)
        rest = serialize_workflow(Chain(message(1, 9000)))
        reference = json.loads(json.dumps([["a", rest, False], ["b", None, True]]))
        callbacks = storage.retrieve(reference)
        self.assertEqual(storage.store(callbacks), reference)
        self.assertEqual(store.puts, [])
        callbacks[0][1]().pop("__type__")
        self.assertEqual(storage.store(callbacks), reference)


class MemoryTests(StoreCase):
    def test_callers_at_once_load_once(self) -> None:
        store = MemoryStore()
        store.pause = 0.05
        content = json.dumps([serialize_workflow(Chain(*[message(number) for number in range(100)]))]).encode()
        names = [store.store(content), store.store(content + b" ")]
        storage = StoredCallbackStorage(store)

        def load(index: int):
            at = [names[index % 2], [["a", 1 + index, False]]]
            [(_, rest, _)] = storage.retrieve({"__type__": "stored", "by": "x", "version": 2, "at": at})
            return len(rest()["children"])

        self.assertEqual(together(16, load), [100 - index for index in range(16)])
        self.assertEqual(sorted(store.gets), sorted(names))
        self.assertEqual(sorted(store.keeps), sorted(names))

    def test_one_failure_is_not_anothers(self) -> None:
        store = MemoryStore()
        name = store.store(b"[]")
        kept = store.kept.pop(name)
        storage = StoredCallbackStorage(store)
        reference = {"__type__": "stored", "by": "x", "version": 2, "at": name}
        results = together(4, lambda _: storage.retrieve(reference))
        self.assertTrue(all(isinstance(result, StoreError) for result in results), results)
        store.kept[name] = kept
        self.assertEqual(storage.retrieve(reference), [])

    def test_memory_is_bounded(self) -> None:
        store = MemoryStore()
        storage = StoredCallbackStorage(store, cache_size=1000)
        names = [store.store(b"[%s]" % (b" " * (100 + number))) for number in range(20)]
        for name in names + [store.store(b"[%s]" % (b" " * 5000))]:
            storage.retrieve({"__type__": "stored", "by": "x", "version": 2, "at": name})
            self.assertLessEqual(storage._cache._size, max(1000, 5002))
        self.assertEqual(len(storage._cache._kept), 1)
        for name in names:
            storage.retrieve({"__type__": "stored", "by": "x", "version": 2, "at": name})
        self.assertLessEqual(storage._cache._size, 1000)
        self.assertEqual(storage._cache._size, sum(content.size for content in storage._cache._kept.values()))

    def test_a_step_of_what_is_larger_than_the_memory_stores_nothing(self) -> None:
        store = MemoryStore()
        storage = StoredCallbackStorage(store, cache_size=10)
        run = Run([storage]).start(Chain(*[message(number, 300) for number in range(20)])).finish()
        self.assertEqual((len(run.tasks), len(store.puts)), (20, 1))

    def test_ages_are_renewed_now_and_then(self) -> None:
        store = MemoryStore()
        storage = StoredCallbackStorage(store)
        name = store.store(b"[]")
        reference = {"__type__": "stored", "by": "x", "version": 2, "at": [name, [["a", 0, False]]]}
        for _ in range(5):
            storage.store(storage.retrieve(reference))
        self.assertEqual(len(store.keeps), 1)
        with mock.patch("time.monotonic", lambda: 1e9):
            storage.retrieve(reference)
        self.assertEqual(len(store.keeps), 2)

    def test_what_is_gone_is_not_sent_on(self) -> None:
        store = MemoryStore()
        storage = StoredCallbackStorage(store)
        name = store.store(b"[]")
        del store.kept[name]
        callbacks = storage.retrieve({"__type__": "stored", "by": "x", "version": 2, "at": [name, [["a", 1, False]]]})
        with self.refused("missing", name):
            storage.store(callbacks)

    def test_renewals_are_bounded(self) -> None:
        renewals = Renewals()
        for number in range(3 * Renewals.MAX_COUNT):
            renewals.is_due(str(number))
        self.assertLessEqual(len(renewals._last), Renewals.MAX_COUNT)
