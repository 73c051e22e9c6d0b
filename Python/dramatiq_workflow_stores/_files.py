"""Contents in files, under the rules of Swift's StorageDirectory."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
import time
from collections.abc import Iterator
from typing import Any

from ._contents import MAX_HEADER_SIZE, decode_digest
from ._errors import StoreError
from ._store import Store


class FileStore(Store):
    """Keeps contents in a directory, together with Swift's `StorageDirectory` and under its rules.

    Names are given under a shared lock of the directory that a file is in, so that no sweep can come in between, and
    files are on the disk with their names before they are referred to. Files are swept by Swift (`StorageSweeper`,
    `dramatiq-workflow storage sweep`).

    Parameters:
      path: the directory's path; a relative one starts at the working directory of this moment. It is made when needed.
      durable: whether what is stored survives a loss of power, or only the end of processes.
      shared_with_group: whether the directory's group may read and change what is in it (0660, 2770), or only the user
        of the process (0600, 0700). As Swift's `access`, the same for all processes.
      lock_timeout: for how long a lock is waited for, in seconds.
    """

    name = "file"
    always_header = True
    _LOCK = ".lock"
    _DIGITS = frozenset("0123456789abcdef")
    #: An age up to which a loss of power may take a file's date back, in seconds.
    _RENEWAL_INTERVAL = 3600
    _ATTEMPTS = 3

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        durable: bool = True,
        shared_with_group: bool = False,
        lock_timeout: float = 10,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        text = os.fspath(path)
        if not text or "\0" in text or text.startswith(("~", "$", "file:")):
            raise ValueError(f"{text!r} is not the path of a directory: it is empty, a URL or for a shell to replace")
        self.path = os.path.join(os.getcwd(), text).rstrip("/") or "/"
        self.durable = durable
        self.lock_timeout = lock_timeout
        self._file_mode, self._directory_mode = (0o660, 0o2770) if shared_with_group else (0o600, 0o700)
        #: The directories that are on the disk and that have their permissions, as far as this process knows.
        self._durable: set[str] = set()
        self._settled: set[str] = set()

    def describe(self, name: str) -> str:
        digits = decode_digest(name).hex()
        return f"'{self.path}/{digits[0]}/{digits[1]}/{digits}'"

    def _put(self, name: str, kept: bytes) -> None:
        for attempt in range(1, self._ATTEMPTS + 1):
            with self._directory(name, make=True) as directory:
                if self._is_there(name, directory):
                    return
                try:
                    return self._write(name, kept, directory)
                except FileNotFoundError:
                    # A sweep has removed the temporary file, as it does with those that are an hour old.
                    if attempt == self._ATTEMPTS:
                        raise

    def _get(self, name: str, limit: int) -> bytes:
        with self._directory(name) as directory, self._file(name, directory) as file:
            return self._read(file, limit)

    def _keep(self, name: str) -> None:
        with self._directory(name) as directory, self._locked(directory):
            with self._file(name, directory) as file:
                if self._renew(file) > self._RENEWAL_INTERVAL:
                    self._synchronize(file)

    def _is_there(self, name: str, directory: int) -> bool:
        """Whether a content is there, whole and fresh. One that isn't whole is as good as none."""
        try:
            with self._file(name, directory):
                pass
            with self._locked(directory), self._file(name, directory) as file:
                self._verified(name, self._read(file, self.max_size + MAX_HEADER_SIZE))
                self._renew(file)
                copy = os.dup(file)
        except StoreError as error:
            if error.code == "locked":
                raise
            return False
        except OSError:
            return False
        try:
            # Who wrote it may not have come to this yet, or not have wanted to.
            self._synchronize(copy)
        finally:
            os.close(copy)
        self._synchronize(directory)
        return True

    def _write(self, name: str, kept: bytes, directory: int) -> None:
        temporary = f".tmp-{os.getpid()}-{secrets.token_hex(8)}"
        try:
            with _opened(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, directory) as file:
                self._settle(file, directory, is_new=True)
                rest = memoryview(kept)
                while rest:
                    rest = rest[os.write(file, rest) :]
                self._synchronize(file)
            with self._locked(directory):
                os.utime(temporary, dir_fd=directory, follow_symlinks=False)
                digits = decode_digest(name).hex()
                os.rename(temporary, digits, src_dir_fd=directory, dst_dir_fd=directory)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary, dir_fd=directory)
            raise
        self._synchronize(directory)

    @contextlib.contextmanager
    def _file(self, name: str, directory: int) -> Iterator[int]:
        with _opened(decode_digest(name).hex(), os.O_RDONLY, directory) as file:
            self._settle(file, directory)
            yield file

    @staticmethod
    def _read(file: int, limit: int) -> bytes:
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode):
            raise StoreError("unusable", "It is not a regular file")
        if status.st_size > limit:
            raise StoreError("too_large", f"The file has {status.st_size} bytes, the limit is {limit}")
        parts: list[bytes] = []
        left = status.st_size
        while left and (part := os.read(file, left)):
            parts.append(part)
            left -= len(part)
        return b"".join(parts)

    @staticmethod
    def _renew(file: int) -> float:
        """Gives a file the date of now unless it lies in the future, and returns how old it was, in seconds."""
        age = time.time() - os.fstat(file).st_mtime
        if age >= 0:
            os.utime(file)
        return age

    @contextlib.contextmanager
    def _locked(self, directory: int) -> Iterator[None]:
        """Holds the lock of those who add files and renew their age; a sweep has it for itself."""
        import fcntl

        with self._lock(directory) as lock:
            deadline = time.monotonic() + self.lock_timeout
            pause = 0.0002
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
                    break
                except BlockingIOError as error:
                    # Nobody is told when a lock is given up.
                    if time.monotonic() >= deadline:
                        text = f"Its lock was held by others for longer than {self.lock_timeout} s"
                        raise StoreError("locked", text) from error
                    time.sleep(pause)
                    pause = min(pause * 2, 0.01)
            try:
                yield
            finally:
                fcntl.flock(lock, fcntl.LOCK_UN)

    @contextlib.contextmanager
    def _lock(self, directory: int) -> Iterator[int]:
        with contextlib.ExitStack() as stack:
            is_new = False
            try:
                lock = stack.enter_context(_opened(self._LOCK, os.O_RDWR, directory))
            except FileNotFoundError:
                try:
                    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL
                    lock = stack.enter_context(_opened(self._LOCK, flags, directory))
                    is_new = True
                except FileExistsError:
                    lock = stack.enter_context(_opened(self._LOCK, os.O_RDWR, directory))
            if not stat.S_ISREG(os.fstat(lock).st_mode):
                raise StoreError("unusable", "Its lock is not a regular file")
            self._settle(lock, directory, is_new)
            yield lock

    # Directories: 16 with 16 in each, after the first two digits of the files' names.

    @contextlib.contextmanager
    def _directory(self, name: str, make: bool = False) -> Iterator[int]:
        digits = decode_digest(name).hex()[:2]
        with contextlib.ExitStack() as stack:
            try:
                if make and digits not in self._durable:
                    raise FileNotFoundError
                directory = self._open_directory(digits, stack)
            except FileNotFoundError:
                if not make:
                    raise
                # Perhaps somebody has removed it with all that was in it.
                self._durable.clear()
                self._settled.clear()
                directory = self._make_directory(digits, stack)
            yield directory

    def _open_directory(self, digits: str, stack: contextlib.ExitStack) -> int:
        directory = self._open_root(stack)
        for index, digit in enumerate(digits):
            outer = directory
            directory = stack.enter_context(_opened(digit, os.O_RDONLY | os.O_DIRECTORY, outer))
            if digits[: index + 1] not in self._settled:
                self._settle(directory, outer)
                self._settled.add(digits[: index + 1])
        return directory

    def _make_directory(self, digits: str, stack: contextlib.ExitStack) -> int:
        self._make_root()
        directory = self._open_root(stack)
        for digit in digits:
            outer, is_new = directory, True
            try:
                os.mkdir(digit, 0o700, dir_fd=outer)
            except FileExistsError:
                is_new = False
            directory = stack.enter_context(_opened(digit, os.O_RDONLY | os.O_DIRECTORY, outer))
            self._settle(directory, outer, is_new)
            self._synchronize(outer)
        self._durable.add(digits)
        return directory

    def _open_root(self, stack: contextlib.ExitStack) -> int:
        root = stack.enter_context(_opened(self.path, os.O_RDONLY | os.O_DIRECTORY))
        if "" not in self._settled:
            self._settle_root(root)
            self._settled.add("")
        return root

    def _make_root(self) -> None:
        """Makes the outermost directory and those on the way to it."""
        missing = [self.path]
        while missing:
            path = missing[-1]
            try:
                os.mkdir(path, 0o700)
                with _opened(path, os.O_RDONLY | os.O_DIRECTORY) as directory:
                    self._settle(directory, directory, is_new=True)
            except FileExistsError:
                pass
            except FileNotFoundError:
                if os.path.dirname(path) == path:
                    raise
                missing.append(os.path.dirname(path))
                continue
            missing.pop()
            # A directory that may be written and not read can't be opened.
            with contextlib.suppress(PermissionError):
                with _opened(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY) as parent:
                    self._synchronize(parent)

    # Permissions, as Swift's StorageAccess has them.

    def _settle(self, file: int, outer: int, is_new: bool = False) -> None:
        """Gives a file or directory that was just made, or is used again, the permissions that it is to have."""
        status = os.fstat(file)
        is_directory = stat.S_ISDIR(status.st_mode)
        # What belongs to others stays as it is. A file with another name besides may be none of the storage's.
        if status.st_uid != os.geteuid() or not (is_directory or status.st_nlink == 1):
            return
        with contextlib.suppress(OSError):
            owner = os.fstat(outer)
            if is_new and status.st_uid == 0 and owner.st_uid != 0:
                os.fchown(file, owner.st_uid, owner.st_gid)
            found = stat.S_IMODE(os.fstat(file).st_mode)
            wanted = self._directory_mode if is_directory else self._file_mode
            # What its owner has locked against themselves stays so; then only others lose something.
            if not is_new and found & 0o700 != wanted & 0o700:
                wanted &= found
            if found != wanted:
                os.fchmod(file, wanted)

    def _settle_root(self, root: int) -> None:
        """The same for a directory that somebody has named, and may use for other things as well."""
        status = os.fstat(root)
        # Such as /tmp: it is meant to be used by all.
        if status.st_mode & stat.S_ISVTX:
            return
        if self._DIGITS.issuperset(os.listdir(root)):
            return self._settle(root, root)
        # Only that nobody else can put something in the place of what is in it.
        found = stat.S_IMODE(status.st_mode)
        wanted = found & (self._directory_mode | 0o7755)
        if status.st_uid == os.geteuid() and found != wanted:
            with contextlib.suppress(OSError):
                os.fchmod(root, wanted)

    def _synchronize(self, file: int) -> None:
        """Waits until the content, or a directory's names, are on the disk."""
        if not self.durable:
            return
        import fcntl

        # Darwin's fsync leaves data in the drive's cache. Not all file systems have the other.
        full = getattr(fcntl, "F_FULLFSYNC", None)
        if full is not None:
            with contextlib.suppress(OSError):
                fcntl.fcntl(file, full)
                return
        try:
            os.fsync(file)
        except OSError as error:
            # Some file systems can't do it with directories.
            if error.errno != errno.EINVAL:
                raise


@contextlib.contextmanager
def _opened(name: str, flags: int, directory: int | None = None) -> Iterator[int]:
    """Opens a path, or something in a directory, which never follows a link nor waits for the other end of a pipe."""
    flags |= os.O_CLOEXEC
    if directory is not None:
        flags |= os.O_NOFOLLOW | os.O_NONBLOCK
    file = os.open(name, flags, 0o600, dir_fd=directory)
    try:
        yield file
    finally:
        os.close(file)
