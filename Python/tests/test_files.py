"""Files: the rules that Swift's StorageDirectory has."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import random
import signal
import stat
import subprocess
import sys
import threading
import time
from unittest import mock

from .support import MISSING, ROOT, SEED, StoreCase, together
from dramatiq_workflow_stores import FileStore, StoreError

TEXT = b'[{"__type__":"chain","children":[]}]'
DAY = 86_400


class FileTests(StoreCase):
    def setUp(self) -> None:
        super().setUp()
        self.root = self.folder / "stored"
        self.store = FileStore(self.root)

    def path(self, content: bytes = TEXT):
        digits = hashlib.sha256(content).hexdigest()
        return self.root / digits[0] / digits[1] / digits

    def mode(self, path) -> int:
        return stat.S_IMODE(os.stat(path).st_mode)

    def test_layout(self) -> None:
        name = self.store.store(TEXT)
        self.assertEqual(self.path().read_bytes(), b"dramatiq-workflow 1 none %d\n" % len(TEXT) + TEXT)
        self.assertEqual(self.store.load(name), TEXT)
        self.assertEqual({path.name for path in self.path().parent.iterdir()}, {".lock", self.path().name})
        self.assertIn(str(self.path()), self.store.describe(name))

    def test_permissions(self) -> None:
        previous = os.umask(0)
        try:
            self.store.store(TEXT)
            for path in [self.root, self.path().parent.parent, self.path().parent]:
                self.assertEqual(self.mode(path), 0o700)
            self.assertEqual(self.mode(self.path()), 0o600)
            self.assertEqual(self.mode(self.path().parent / ".lock"), 0o600)
            shared = FileStore(self.root, shared_with_group=True)
            shared.store(TEXT)
            for path in [self.root, self.path().parent.parent, self.path().parent]:
                self.assertEqual(self.mode(path), 0o2770)
            self.assertEqual(self.mode(self.path()), 0o660)
            self.assertEqual(self.mode(self.path().parent / ".lock"), 0o660)
            # What its owner has locked against themselves stays so.
            os.chmod(self.path(), 0o444)
            with contextlib.suppress(StoreError):
                FileStore(self.root).load(self.store.store(b"another"))
                FileStore(self.root).load(_name(TEXT))
            self.assertEqual(self.mode(self.path()), 0o400)
        finally:
            os.umask(previous)

    def test_a_directory_that_is_used_for_other_things(self) -> None:
        self.root.mkdir()
        (self.root / "other").touch()
        os.chmod(self.root, 0o777)
        self.store.store(TEXT)
        self.assertEqual(self.mode(self.root), 0o755)
        # And one for all, such as /tmp.
        os.chmod(self.root, 0o1777)
        FileStore(self.root).load(_name(TEXT))
        self.assertEqual(self.mode(self.root), 0o1777)

    def test_the_same_content_is_there_once_and_gets_a_new_date(self) -> None:
        name = self.store.store(TEXT)
        number = self.path().stat().st_ino
        for call in [
            lambda: self.store.store(TEXT),
            lambda: self.store.keep(name),
            lambda: FileStore(self.root).store(TEXT),
        ]:
            os.utime(self.path(), (1, 1))
            call()
            self.assertLess(abs(time.time() - self.path().stat().st_mtime), 60)
            self.assertEqual(self.path().stat().st_ino, number)
        # A date in the future stays: a message waits for that long.
        later = time.time() + 30 * DAY
        os.utime(self.path(), (later, later))
        self.store.store(TEXT)
        self.store.keep(name)
        self.assertAlmostEqual(self.path().stat().st_mtime, later, delta=1)

    def test_what_is_damaged_is_replaced(self) -> None:
        name = self.store.store(TEXT)
        whole = self.path().read_bytes()
        for damage in [b"", whole[:-1], whole + b"x", b"x" * len(whole)]:
            self.path().write_bytes(damage)
            with self.refused("corrupt", str(self.path())):
                self.store.load(name)
            self.assertEqual(self.store.store(TEXT), name)
            self.assertEqual(self.path().read_bytes(), whole)

    def test_what_is_no_file(self) -> None:
        name = self.store.store(TEXT)
        other = self.folder / "other"
        other.write_bytes(self.path().read_bytes())
        self.path().unlink()
        self.path().symlink_to(other)
        with self.refused("unusable"):
            self.store.load(name)
        self.assertEqual(self.store.store(TEXT), name)
        self.assertFalse(self.path().is_symlink())
        self.path().unlink()
        os.mkfifo(self.path())
        with self.refused("unusable", "regular"):
            self.store.load(name)
        self.path().unlink()
        self.path().mkdir()
        with self.refused("unusable"):
            self.store.load(name)
        self.path().rmdir()
        # A directory on the way that leads elsewhere.
        self.path().parent.rename(self.folder / "leaf")
        self.path().parent.symlink_to(self.folder / "leaf")
        with self.refused("unusable"):
            self.store.load(name)
        with self.refused("unusable"):
            FileStore(self.root).store(TEXT)
        self.path().parent.unlink()
        self.path().parent.mkdir()
        os.mkfifo(self.path().parent / ".lock")
        with self.refused("unusable", "lock"):
            FileStore(self.root).store(TEXT)

    def test_what_is_missing(self) -> None:
        for call in [self.store.load, self.store.keep]:
            with self.refused("missing", "stored/0/0/0000"):
                call(MISSING)
        self.assertFalse(self.root.exists())
        self.store.store(TEXT)
        with self.refused("missing"):
            self.store.load(MISSING)

    def test_a_directory_that_was_removed_is_made_again(self) -> None:
        name = self.store.store(TEXT)
        self.root.rename(self.folder / "gone")
        self.assertEqual(self.store.store(TEXT), name)
        self.assertEqual(self.store.load(name), TEXT)

    def test_directories_on_the_way_are_made(self) -> None:
        store = FileStore(self.folder / "a" / "b" / "c//")
        self.assertEqual(store.load(store.store(TEXT)), TEXT)
        self.assertEqual(self.mode(self.folder / "a"), 0o700)
        with contextlib.chdir(self.folder) if sys.version_info >= (3, 11) else contextlib.nullcontext():
            relative = FileStore("a/b/c")
        self.assertEqual(relative.load(_name(TEXT)), TEXT)
        (self.folder / "file").touch()
        with self.refused("unusable"):
            FileStore(self.folder / "file" / "x").store(TEXT)

    def test_paths_that_cannot_be_meant(self) -> None:
        for path in ["", "~/x", "$HOME", "file:///x", "a\0b"]:
            with self.assertRaises(ValueError):
                FileStore(path)

    def test_limits(self) -> None:
        name = self.store.store(TEXT * 100)
        with self.refused("too_large", "limit is 1096"):
            FileStore(self.root, max_size=1000).load(name)

    def test_what_was_stored_is_on_the_disk_before_its_name_is_given_away(self) -> None:
        calls: list[tuple[str, str]] = []

        def noting(function, what):
            def call(first, *rest, **more):
                path = os.readlink(f"/proc/self/fd/{first}") if isinstance(first, int) else first
                calls.append((what, os.path.basename(path)))
                return function(first, *rest, **more)

            return call

        with mock.patch("os.fsync", noting(os.fsync, "fsync")), mock.patch("os.rename", noting(os.rename, "rename")):
            self.store.store(TEXT)
            names = [name if not name.startswith(".tmp-") else ".tmp" for _, name in calls]
            digits = self.path().name
            self.assertEqual(names, [self.folder.name, "stored", digits[0], ".tmp", ".tmp", digits[1]])
            self.assertEqual([what for what, _ in calls][-3:], ["fsync", "rename", "fsync"])
            calls.clear()
            # One who finds it can't know that whoever wrote it has come to that.
            FileStore(self.root).store(TEXT)
            self.assertIn(("fsync", digits), calls)
            self.assertIn(("fsync", digits[1]), calls)
            calls.clear()
            FileStore(self.root, durable=False).store(b"another")
            self.assertEqual([what for what, _ in calls], ["rename"])

    def test_faults_of_the_disk(self) -> None:
        for function, number, code in [
            ("os.write", errno.ENOSPC, "no_space"),
            ("os.fsync", errno.EIO, "unavailable"),
            ("os.rename", errno.EROFS, "read_only"),
            ("os.utime", errno.EACCES, "permission_denied"),
        ]:
            with self.subTest(function):
                with mock.patch(function, side_effect=OSError(number, "fault")), self.refused(code, str(self.path())):
                    self.store.store(TEXT)
                self.assertEqual([path for path in self.root.rglob("*") if path.is_file() and path.name != ".lock"], [])
        # Some file systems can't do that with directories.
        with mock.patch("os.fsync", side_effect=OSError(errno.EINVAL, "fault")):
            self.store.store(TEXT)
        self.assertEqual(self.store.load(_name(TEXT)), TEXT)

    def test_a_temporary_file_that_was_swept_is_written_again(self) -> None:
        rename = os.rename
        calls = []

        def swept(source, *rest, src_dir_fd, **more):
            calls.append(source)
            if len(calls) < 3:
                os.unlink(source, dir_fd=src_dir_fd)
            return rename(source, *rest, src_dir_fd=src_dir_fd, **more)

        with mock.patch("os.rename", swept):
            self.store.store(TEXT)
        self.assertEqual((len(calls), self.store.load(_name(TEXT))), (3, TEXT))

    def test_a_lock_is_not_waited_for_for_ever(self) -> None:
        name = self.store.store(TEXT)
        impatient = FileStore(self.root, lock_timeout=0.05)
        with open(self.path().parent / ".lock") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for call in [lambda: impatient.store(TEXT), lambda: impatient.keep(name)]:
                with self.refused("locked", "0.05 s"):
                    call()
            # Readers need none.
            self.assertEqual(impatient.load(name), TEXT)
            fcntl.flock(lock, fcntl.LOCK_SH)
            impatient.store(TEXT)
        self.assertEqual([path for path in self.root.rglob(".tmp-*")], [])

    def test_nothing_is_lost_between_writers_and_a_sweep(self) -> None:
        """A sweep, as Swift's does it, beside writers of what it is about to remove."""
        contents = [[b"[%d,%d]" % (writer, number) for number in range(5)] for writer in range(3)]
        stop = threading.Event()
        removed = 0

        def sweep() -> None:
            nonlocal removed
            while not stop.is_set():
                for content in sum(contents, []):
                    with contextlib.suppress(FileNotFoundError), open(self.path(content).parent / ".lock") as lock:
                        fcntl.flock(lock, fcntl.LOCK_EX)
                        if time.time() - self.path(content).stat().st_mtime > DAY:
                            self.path(content).unlink()
                            removed += 1
                        fcntl.flock(lock, fcntl.LOCK_UN)

        def write(index: int) -> int:
            draw = random.Random(f"{SEED} {index}")
            store = FileStore(self.root, durable=False)
            for _ in range(150):
                content = draw.choice(contents[index])
                name = store.store(content)
                if store.load(name) != content:
                    return 1
                # Nobody needs it any more; the next time it is stored, the sweep may be about to remove it.
                os.utime(self.path(content), (1, 1))
            return 0

        sweeper = threading.Thread(target=sweep)
        sweeper.start()
        results = together(3, write)
        stop.set()
        sweeper.join()
        self.assertEqual(results, [0, 0, 0], f"TEST_SEED={SEED}")
        self.assertGreater(removed, 0)

    def test_writers_at_once(self) -> None:
        contents = [b"[%d]" % (number % 5) + b" " * 100_000 for number in range(16)]
        names = together(16, lambda index: FileStore(self.root).store(contents[index]))
        self.assertEqual([self.store.load(name) for name in names], contents)
        self.assertEqual([path for path in self.root.rglob(".tmp-*")], [])

    def test_writers_that_are_killed_leave_nothing_in_part(self) -> None:
        print(f"\nkilled writers: TEST_SEED={SEED}", file=sys.stderr)
        draw = random.Random(SEED)
        program = (
            "import sys; sys.path.insert(0, sys.argv[1]); from dramatiq_workflow_stores import FileStore\n"
            "store = FileStore(sys.argv[2]); number = int(sys.argv[3])\n"
            "while True:\n"
            "    print(store.store(b'[%d]' % number + b' ' * 300_000), flush=True); number += 1\n"
        )
        given: list[str] = []
        for round in range(12):
            arguments = [sys.executable, "-c", program, str(ROOT / "Python"), str(self.root), str(round * 1000)]
            with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as writer:
                assert writer.stdout is not None
                given.append(writer.stdout.readline().strip())
                time.sleep(draw.random() * 0.02)
                writer.send_signal(signal.SIGKILL)
                given += [line.strip() for line in writer.stdout if line.endswith("\n")]
        for name in given:
            self.store.load(name)
        for path in self.root.rglob("*"):
            if path.is_file() and path.name[0] != ".":
                head, _, content = path.read_bytes().partition(b"\n")
                self.assertEqual(hashlib.sha256(content).hexdigest(), path.name)


def _name(content: bytes) -> str:
    from dramatiq_workflow_stores._contents import name_of

    return name_of(content)
