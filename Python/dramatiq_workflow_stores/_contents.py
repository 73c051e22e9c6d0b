"""The names of contents, and the bytes that stores keep for them."""

from __future__ import annotations

import base64
import hashlib
import re
import reprlib
import zlib
from typing import Any

from ._errors import StoreError

_NAME = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_MAGIC = b"dramatiq-workflow "
_HEADER = re.compile(rb"dramatiq-workflow ([0-9]{1,9})(?: ([^ \n]{1,32}) ([0-9]{1,18}))?(.*)\n", re.ASCII)
MAX_HEADER_SIZE = 96
#: How much a content may unpack to whatever its size, and how many times its bytes if that is more.
_FREE_SIZE, _LARGEST_RATIO = 16 << 20, 128
_ZLIB_LEVEL = 4


def encode_digest(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def decode_digest(name: str) -> bytes:
    return base64.urlsafe_b64decode(name + "=")


def name_of(content: bytes) -> str:
    """The name of a content: its SHA-256 in base64url without padding."""
    return encode_digest(hashlib.sha256(content).digest())


_representation = reprlib.Repr()
_representation.maxstring = _representation.maxother = 128
_representation.maxlevel = 5


def shown(value: object) -> str:
    """A value from outside as one short line."""
    text = _representation.repr(value).encode("ascii", "backslashreplace").decode("ascii")
    return text if len(text) <= 400 else text[:400] + "..."


def size_of(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def check_name(value: object) -> str:
    if isinstance(value, str) and _NAME.fullmatch(value) and encode_digest(decode_digest(value)) == value:
        return value
    raise StoreError("invalid", f"{shown(value)} is not the name of a stored workflow")


def _largest_content(compressed: int, max_size: int) -> int:
    return min(max_size, max(_FREE_SIZE, compressed * _LARGEST_RATIO))


def pack(content: bytes, compression: str | None, max_size: int, always_header: bool) -> bytes:
    """What a store keeps: compressed if that makes it smaller and can be read again."""
    if compression == "zlib":
        compressed = zlib.compress(content, _ZLIB_LEVEL)
        if len(compressed) < len(content) <= _largest_content(len(compressed), max_size):
            return b"%s1 zlib %d\n" % (_MAGIC, len(content)) + compressed
    return b"%s1 none %d\n" % (_MAGIC, len(content)) + content if always_header else content


def unpack(kept: bytes, max_size: int) -> bytes:
    """The content in what a store keeps, not yet compared with its name."""
    if not kept.startswith(_MAGIC):
        if len(kept) > max_size:
            raise StoreError("too_large", f"The content has {len(kept)} bytes, the limit is {max_size}")
        return kept
    header = _HEADER.match(kept, 0, MAX_HEADER_SIZE)
    if header is None:
        raise StoreError("corrupt", "Its header is damaged")
    if int(header[1]) != 1:
        raise StoreError("unknown_version", f"It is in version {int(header[1])} of the format, known is 1")
    if header[2] is None or header[4]:
        raise StoreError("corrupt", "Its header is damaged")
    codec, size = header[2].decode("ascii", "replace"), int(header[3])
    if size > max_size:
        raise StoreError("too_large", f"The content has {size} bytes, the limit is {max_size}")
    payload = memoryview(kept)[header.end() :]
    if codec != "none" and size > _largest_content(len(payload), max_size):
        limit = _largest_content(len(payload), max_size)
        raise StoreError(
            "too_large", f"The content has {size} bytes in {len(payload)} compressed ones, the limit is {limit}"
        )
    content = bytes(payload) if codec == "none" else _decompress(payload, codec, size)
    if len(content) != size:
        raise StoreError("corrupt", f"The content has {len(content)} bytes, but {size} were stored")
    return content


def _decompress(payload: memoryview, codec: str, size: int) -> bytes:
    """What was compressed, up to a byte more than it should be."""
    try:
        if codec == "zlib":
            stream: Any = zlib.decompressobj()
            content = stream.decompress(payload, size + 1)
        elif codec == "lz4":
            import lz4.frame

            stream = lz4.frame.LZ4FrameDecompressor()
            content = stream.decompress(payload, size + 1)
        else:
            raise StoreError("unknown_codec", f"It is compressed with {shown(codec)}, known are zlib and lz4")
    except ImportError as error:
        raise StoreError("unknown_codec", "It is compressed with lz4, for which the package lz4 is needed") from error
    except (zlib.error, RuntimeError, EOFError) as error:
        raise StoreError("corrupt", f"It can't be decompressed with {codec}: {error}") from error
    if len(content) <= size and (not stream.eof or stream.unused_data):
        raise StoreError("corrupt", f"What was compressed with {codec} is cut short, or something follows its end")
    return content
