"""Two stores as one."""

from __future__ import annotations

import json
from unittest import mock

from dramatiq_workflow import Chain, Group

from .support import MISSING, MemoryStore, Run, StoreCase, message
from dramatiq_workflow_stores import FileStore, StoredCallbackStorage, StoreError, TieredStore
from dramatiq_workflow_stores._contents import name_of


class TierTests(StoreCase):
    def setUp(self) -> None:
        super().setUp()
        self.small, self.large = MemoryStore(), MemoryStore(compression="zlib")
        self.store = TieredStore(self.small, self.large, limit=10)

    def test_the_size_decides(self) -> None:
        for size, counts in [(2, (1, 0)), (10, (2, 0)), (11, (2, 1)), (5000, (2, 2))]:
            content = b"[" + b" " * (size - 2) + b"]"
            name = self.store.store(content)
            self.assertEqual(name, name_of(content))
            self.assertEqual((len(self.small.puts), len(self.large.puts)), counts)
            self.assertEqual(self.store.load(name), content)
        self.assertEqual(self.store.name, "memory+memory")
        self.assertLess(len(self.large.kept[name]), 200)

    def test_names_are_not_too_long_for_references(self) -> None:
        self.large.name = "x" * 60
        self.assertEqual(TieredStore(self.small, self.large, 10).name, "tiered")

    def test_what_the_other_one_has_is_found(self) -> None:
        for one in [self.small, self.large]:
            for content in [b"[]", b"[%d]" % 10**20]:
                name = one.store(content)
                self.assertEqual(self.store.load(name), content)
                self.store.keep(name)
                self.assertEqual(one.keeps.pop(), name)
                one.kept.clear()

    def test_what_neither_has(self) -> None:
        for call in [self.store.load, self.store.keep]:
            with self.refused("missing", MISSING):
                call(MISSING)
            # That it isn't where it can be looked for says nothing of the other one.
            for one in [self.small, self.large]:
                broken = StoreError("unavailable", "broken")
                with mock.patch.object(one, "_get", side_effect=broken), mock.patch.object(one, "_keep", side_effect=broken):
                    with self.refused("unavailable", "broken"):
                        call(MISSING)
        name = self.large.store(b"[1]")
        with mock.patch.object(self.small, "_get", side_effect=OSError("down")):
            self.assertEqual(self.store.load(name), b"[1]")

    def test_damage_is_told(self) -> None:
        name = self.store.store(b"[]")
        self.small.kept[name] = b"[7]"
        with self.refused("corrupt", name):
            self.store.load(name)
        self.large.store(b"[]")
        self.assertEqual(self.store.load(name), b"[]")

    def test_workflows_run_over_both(self) -> None:
        store = TieredStore(MemoryStore(), FileStore(self.folder / "files", compression="zlib"), limit=1500)
        storage = StoredCallbackStorage(store, inline_limit=0)
        for length in [3, 30]:
            run = Run([storage]).start(Chain(message(0), Group(message(1), message(2)), *map(message, range(3, length))))
            self.assertEqual(sorted(args[0] for _, args, _ in run.finish().tasks), list(range(length)))
        self.assertEqual(len(store.small.puts), 1)
        self.assertEqual(len([path for path in self.folder.rglob("*") if len(path.name) == 64]), 1)

    def test_what_swifts_tiers_have_written(self) -> None:
        """By both, and by who knows one of the two only."""
        rest = {"__type__": "chain", "children": [{"__type__": "message"}]}
        name = self.large.store(json.dumps([rest]).encode())
        reference = {
            "__type__": "stored", "by": "dedup.memory+memory", "version": 2, "at": [name, [["a", 1, False], ["b", None]], 1]
        }  # fmt: skip
        for store in [self.store, self.large]:
            storage = StoredCallbackStorage(store)
            callbacks = storage.retrieve(reference)
            self.assertEqual(callbacks[0][1](), rest)
            # The place stays with it for Swift.
            self.assertEqual(storage.store(callbacks), reference)
        [(_, lost, _), _] = StoredCallbackStorage(self.small).retrieve(reference)
        with self.refused("missing", "memory+memory"):
            lost()
