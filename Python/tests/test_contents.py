"""What stores keep for contents: headers, compression, limits."""

from __future__ import annotations

import random
import sys
import zlib
from unittest import mock

import lz4.frame

from .support import SEED, MemoryStore, StoreCase
from dramatiq_workflow_stores import StoreError
from dramatiq_workflow_stores._contents import name_of

TEXT = b'[{"__type__":"chain","children":[]}]' * 50


def packed(codec: str, payload: bytes, size: int, version: str = "1") -> bytes:
    return b"dramatiq-workflow %s %s %d\n" % (version.encode(), codec.encode(), size) + payload


class ContentTests(StoreCase):
    def load(self, kept: bytes, content: bytes = TEXT, **options) -> bytes:
        store = MemoryStore(**options)
        store.kept[name_of(content)] = kept
        return store.load(name_of(content))

    def test_what_swift_writes_is_read(self) -> None:
        frame = lz4.frame.compress(
            TEXT, block_size=lz4.frame.BLOCKSIZE_MAX64KB, block_linked=False, content_checksum=True, store_size=True
        )
        for kept in [
            TEXT,
            packed("none", TEXT, len(TEXT)),
            packed("zlib", zlib.compress(TEXT, 4), len(TEXT)),
            packed("lz4", frame, len(TEXT)),
            packed("lz4", lz4.frame.compress(TEXT, store_size=False), len(TEXT)),
        ]:
            self.assertEqual(self.load(kept), TEXT)
        self.assertEqual(self.load(packed("none", b"", 0), b""), b"")

    def test_compression_where_it_pays(self) -> None:
        store = MemoryStore(compression="zlib")
        name = store.store(TEXT)
        self.assertTrue(store.kept[name].startswith(b"dramatiq-workflow 1 zlib %d\n\x78" % len(TEXT)))
        self.assertLess(len(store.kept[name]), len(TEXT) // 5)
        self.assertEqual(MemoryStore.load(store, name), TEXT)
        noise = random.Random(SEED).randbytes(500)
        self.assertEqual(store.kept[store.store(noise)], noise)
        # What would not be read again is stored as it is.
        large = b" " * (17 << 20)
        self.assertEqual(store.kept[store.store(large)], large)
        self.assertEqual(store.load(name_of(large)), large)
        with self.assertRaises(ValueError):
            MemoryStore(compression="lzma")

    def test_what_is_damaged(self) -> None:
        stream, frame = zlib.compress(TEXT), lz4.frame.compress(TEXT)
        size = len(TEXT)
        for kept in [
            b"",
            TEXT[:-1],
            b"dramatiq-workflow ",
            b"dramatiq-workflow 1 none " + b"1" * 90 + b"\n",
            b"dramatiq-workflow 1 none\n" + TEXT,
            b"dramatiq-workflow 1 none -1\n" + TEXT,
            b"dramatiq-workflow 1 none +%d\n" % size + TEXT,
            b"dramatiq-workflow 1 none %d \n" % size + TEXT,
            b"dramatiq-workflow 1 none  %d\n" % size + TEXT,
            b"dramatiq-workflow 1\n" + TEXT,
            packed("none", TEXT, size - 1),
            packed("none", TEXT[:-1] + b"?", size),
            packed("zlib", stream[:-1], size),
            packed("zlib", stream + b"x", size),
            packed("zlib", stream, size - 1),
            packed("zlib", stream, size + 1),
            packed("zlib", b"", size),
            packed("zlib", TEXT, size),
            packed("lz4", frame[:-1], size),
            packed("lz4", frame + b"x", size),
            packed("lz4", frame, size - 1),
            packed("lz4", frame, size + 1),
            packed("lz4", b"", size),
            packed("lz4", TEXT, size),
        ]:
            with self.subTest(kept[:60]), self.refused("corrupt", name_of(TEXT)):
                self.load(kept)

    def test_what_is_not_known(self) -> None:
        for version in ["2", "2 x", "999999999"]:
            with self.refused("unknown_version", version.split()[0]):
                self.load(b"dramatiq-workflow %s\n" % version.encode() + TEXT)
        for codec in ["lzma", "a\x7f\xc3"]:
            with self.refused("unknown_codec"):
                self.load(packed(codec, TEXT, len(TEXT)))
        kept = packed("lz4", lz4.frame.compress(TEXT), len(TEXT))
        with mock.patch.dict(sys.modules, {"lz4.frame": None, "lz4": None}):
            with self.refused("unknown_codec", "package lz4"):
                self.load(kept)

    def test_limits(self) -> None:
        with self.refused("too_large", "limit is 100"):
            self.load(TEXT, max_size=100)
        with self.refused("too_large", "limit is 100"):
            self.load(packed("none", TEXT, len(TEXT)), max_size=100)
        with self.refused("too_large", "limit is 100"):
            MemoryStore(max_size=100).store(TEXT)
        # Bombs: a size that isn't said is never unpacked to, and one that is said must be likely.
        bomb = zlib.compress(b" " * (40 << 20))
        with self.refused("too_large", "compressed ones"):
            self.load(packed("zlib", bomb, 40 << 20))
        with self.refused("corrupt"):
            self.load(packed("zlib", bomb, 1000))
        with self.refused("corrupt"):
            self.load(packed("lz4", lz4.frame.compress(b" " * (40 << 20)), 1000))

    def test_names_are_checked(self) -> None:
        store = MemoryStore()
        for name in ["", "../" + "A" * 40, "A" * 44, "A" * 42 + "B", "A" * 42 + "\n", 7, None]:
            for call in [store.load, store.keep]:
                with self.refused("invalid"):
                    call(name)  # type: ignore[arg-type]

    def test_damage_by_chance(self) -> None:
        draw = random.Random(SEED)
        whole = [packed("zlib", zlib.compress(TEXT), len(TEXT)), packed("lz4", lz4.frame.compress(TEXT), len(TEXT))]
        for _ in range(3000):
            kept = bytearray(draw.choice(whole))
            for _ in range(draw.randrange(1, 4)):
                kept[draw.randrange(len(kept))] = draw.randrange(256)
            try:
                self.assertEqual(self.load(bytes(kept)), TEXT)
            except StoreError:
                pass
