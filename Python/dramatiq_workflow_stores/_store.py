"""What every store does, wherever it keeps things."""

from __future__ import annotations

import abc
import contextlib
import errno
from collections.abc import Iterator

from ._contents import MAX_HEADER_SIZE, check_name, name_of, pack, unpack
from ._errors import StoreError

#: The largest content unless given, in bytes: 64 MiB, or a workflow of some 250 000 tasks.
MAX_SIZE = 64 << 20


class Store(abc.ABC):
    """Keeps contents by their names. A subclass says how bytes are kept, had and kept for longer, and may raise what it
    likes; callers get a `StoreError`.

    Parameters:
      compression: `"zlib"` to compress what is stored, or `None`. Both are read whatever is said here, and `lz4`.
      max_size: the largest content to store or load, in bytes before compression. Above 16 MiB what is compressed must
        have at least a 128th of its content's bytes besides; what would be smaller is stored as it is.
    """

    #: What references call it, after `dedup.`: letters and digits.
    name: str
    #: Whether what isn't compressed has a header, too.
    always_header = False

    def __init__(self, *, compression: str | None = None, max_size: int = MAX_SIZE) -> None:
        if compression not in (None, "zlib"):
            raise ValueError(f"There is no compression {compression!r}, only 'zlib'")
        self.compression = compression
        self.max_size = max_size

    def store(self, content: bytes) -> str:
        """Stores a content, or finds out that it is there and keeps it as long as if it was stored now.

        Returns its name.
        """
        name = name_of(content)
        with self._telling("store", name):
            if len(content) > self.max_size:
                raise StoreError("too_large", f"The content has {len(content)} bytes, the limit is {self.max_size}")
            self._put(name, pack(content, self.compression, self.max_size, self.always_header))
        return name

    def load(self, name: str) -> bytes:
        """The content of a name, with which it is compared."""
        with self._telling("load", check_name(name)):
            return self._verified(name, self._get(name, self.max_size + MAX_HEADER_SIZE))

    def keep(self, name: str) -> None:
        """Sees to it that a content is kept as long as if it was stored now."""
        with self._telling("keep", check_name(name)):
            self._keep(name)

    @abc.abstractmethod
    def describe(self, name: str) -> str:
        """Where a content is, for a person to read."""

    @abc.abstractmethod
    def _put(self, name: str, kept: bytes) -> None: ...

    @abc.abstractmethod
    def _get(self, name: str, limit: int) -> bytes:
        """What is kept under a name; refuses with `too_large` what has more bytes than the limit."""

    @abc.abstractmethod
    def _keep(self, name: str) -> None: ...

    def _verified(self, name: str, kept: bytes) -> bytes:
        content = unpack(kept, self.max_size)
        if name_of(content) != name:
            raise StoreError("corrupt", "The content is not what was stored")
        return content

    @contextlib.contextmanager
    def _telling(self, operation: str, name: str) -> Iterator[None]:
        """Makes errors say what was to be done, and where."""
        try:
            yield
        except StoreError as error:
            raise StoreError(error.code, f"Can't {operation} {self.describe(name)}: {error.reason}") from error
        except Exception as error:
            code = CODES.get(error.errno or 0, "unavailable") if isinstance(error, OSError) else "unavailable"
            raise StoreError(code, f"Can't {operation} {self.describe(name)}: {error}") from error


CODES = {
    errno.ENOENT: "missing",
    errno.EACCES: "permission_denied",
    errno.EPERM: "permission_denied",
    errno.EROFS: "read_only",
    errno.ENOSPC: "no_space",
    errno.EDQUOT: "no_space",
    errno.EFBIG: "no_space",
    errno.ELOOP: "unusable",
    errno.ENOTDIR: "unusable",
    errno.EISDIR: "unusable",
    errno.ENXIO: "unusable",
}
