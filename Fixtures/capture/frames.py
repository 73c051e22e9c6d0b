"""Messages as Python's `lz4.frame` and `zlib` compress them, at many settings, and compressed bytes that are damaged."""

from __future__ import annotations

import dataclasses
import gzip
import zlib
from collections.abc import Callable
from pathlib import Path

import lz4.frame

from . import messages
from .hostile import AFTER, BEFORE
from .text import document, rows

FOLDER = Path(__file__).resolve().parent.parent / "frames"

#: What is compressed: a captured message's file, or a recipe as in hostile/index.json.
CONTENTS: dict[str, str | list[tuple[str, int]]] = {
    "small": "messages/workflow-member.json",
    "text": "messages/text-20-kilobytes.json",
    # More than LZ4's 64 KiB blocks and windows.
    "large": [(BEFORE, 1), ('["', 1), ("0123456789 abcdefghijklmnop ", 9000), ('"]', 1), (AFTER, 1)],
}

#: The dictionary of the frames that have one.
DICTIONARY = "messages/workflow-member.json"


def content(name: str, captured: dict[str, bytes]) -> bytes:
    source = CONTENTS[name]
    return captured[source] if isinstance(source, str) else "".join(text * count for text, count in source).encode()


# What Python writes


def lz4_frame(**settings) -> Callable[[bytes], bytes]:
    return lambda data: lz4.frame.compress(data, **settings)


def lz4_pieces(data: bytes) -> bytes:
    """Written piece by piece, each flushed: many small blocks, and no size."""
    step = max(1, len(data) // 50)
    with lz4.frame.LZ4FrameCompressor(auto_flush=True, block_linked=True, content_checksum=True) as compressor:
        header = compressor.begin()
        pieces = [compressor.compress(data[start : start + step]) for start in range(0, len(data), step)]
        return header + b"".join(pieces) + compressor.flush()


LZ4_SETTINGS: dict[str, Callable[[bytes], bytes]] = {
    "default": lz4_frame(),
    "independent": lz4_frame(block_linked=False),
    "no-size": lz4_frame(store_size=False),
    "content-checksum": lz4_frame(content_checksum=True),
    "block-checksum": lz4_frame(block_checksum=True),
    "all-checksums-no-size": lz4_frame(content_checksum=True, block_checksum=True, store_size=False),
    "level-9": lz4_frame(compression_level=9),
    "level-16": lz4_frame(compression_level=16, content_checksum=True),
    "level-minus-5": lz4_frame(compression_level=-5),
    "blocks-256-kib": lz4_frame(block_size=lz4.frame.BLOCKSIZE_MAX256KB, block_linked=False),
    "blocks-1-mib": lz4_frame(block_size=lz4.frame.BLOCKSIZE_MAX1MB),
    "blocks-4-mib": lz4_frame(block_size=lz4.frame.BLOCKSIZE_MAX4MB, store_size=False),
    "pieces": lz4_pieces,
}


def zlib_stream(level: int = -1, wbits: int = 15, strategy: int = zlib.Z_DEFAULT_STRATEGY, **more):
    def write(data: bytes) -> bytes:
        compressor = zlib.compressobj(level, zlib.DEFLATED, wbits, strategy=strategy, **more)
        return compressor.compress(data) + compressor.flush()

    return write


def zlib_pieces(data: bytes) -> bytes:
    compressor = zlib.compressobj()
    step = max(1, len(data) // 50)
    pieces = [
        compressor.compress(data[start : start + step]) + compressor.flush(zlib.Z_FULL_FLUSH)
        for start in range(0, len(data), step)
    ]
    return b"".join(pieces) + compressor.flush()


ZLIB_SETTINGS: dict[str, Callable[[bytes], bytes]] = {
    "default": zlib.compress,
    "stored": zlib_stream(0),
    "level-1": zlib_stream(1),
    "level-9": zlib_stream(9),
    "window-512": zlib_stream(wbits=9),
    "fixed": zlib_stream(strategy=zlib.Z_FIXED),
    "huffman-only": zlib_stream(strategy=zlib.Z_HUFFMAN_ONLY),
    "run-lengths": zlib_stream(strategy=zlib.Z_RLE),
    "memory-1": zlib_stream(memLevel=1),
    "pieces": zlib_pieces,
}


#: Settings that find no repetitions, which would make large files of the large content.
TOO_LARGE = ["stored", "huffman-only", "run-lengths"]


def unzlib(data: bytes, dictionary: bytes | None = None) -> bytes:
    reader = zlib.decompressobj() if dictionary is None else zlib.decompressobj(zdict=dictionary)
    text = reader.decompress(data)
    assert reader.eof and not reader.unused_data
    return text


def settled(name: str, data: bytes, dictionary: bytes | None = None) -> bytes:
    """The stream that is on disk if it holds the same.

    Versions of zlib write the same content in different bytes; lz4 comes with its own liblz4."""
    try:
        found = (FOLDER / name).read_bytes()
        return found if unzlib(found, dictionary) == unzlib(data, dictionary) else data
    except (OSError, zlib.error, AssertionError):
        return data


def good(captured: dict[str, bytes]) -> tuple[dict[str, bytes], list[dict]]:
    files: dict[str, bytes] = {}
    index: list[dict] = []

    def add(name: str, content_name: str, data: bytes, **more) -> None:
        files[name] = data
        source = CONTENTS[content_name]
        index.append({"file": name, **({"content": source} if isinstance(source, str) else {"recipe": source}), **more})

    for content_name in CONTENTS:
        data = content(content_name, captured)
        for setting, write in LZ4_SETTINGS.items():
            frame = write(data)
            assert lz4.frame.decompress(frame) == data
            add(f"{content_name}-{setting}.lz4", content_name, frame)
        for setting, write in ZLIB_SETTINGS.items():
            name = f"{content_name}-{setting}.zlib"
            if content_name != "large" or setting not in TOO_LARGE:
                add(name, content_name, settled(name, write(data)))
    dictionary = captured[DICTIONARY]
    name = "text-dictionary.zlib"
    stream = zlib_stream(zdict=dictionary)(content("text", captured))
    add(name, "text", settled(name, stream, dictionary), dictionary=DICTIONARY)
    return files, index


# What is damaged


@dataclasses.dataclass
class Case:
    file: str
    why: str
    data: bytes


def flipped(data: bytes, index: int, bits: int = 0xFF) -> bytes:
    damaged = bytearray(data)
    damaged[index] ^= bits
    return bytes(damaged)


def lz4_cases(plain: bytes) -> list[Case]:
    frame = lz4.frame.compress(plain, content_checksum=True)
    checked = lz4.frame.compress(plain, content_checksum=True, block_checksum=True)
    unsized = lz4.frame.compress(plain, store_size=False)
    header = 15  # magic, flags, block size, content size, check
    longer = lz4.frame.compress(plain + b" ", content_checksum=True)
    shorter = lz4.frame.compress(plain[:-1], content_checksum=True)
    zeros = bytes(4 << 20)
    return [
        Case("cut-magic.lz4", "ends after the magic number", frame[:4]),
        Case("cut-header.lz4", "ends inside the header", frame[:10]),
        Case("cut-after-header.lz4", "ends after the header", frame[:header]),
        Case("cut-block-size.lz4", "ends inside a block's size", frame[: header + 2]),
        Case("cut-block.lz4", "ends inside a block", frame[:-60]),
        Case("cut-end-mark.lz4", "has no end mark", frame[:-8]),
        Case("cut-checksum.lz4", "ends inside the checksum", frame[:-2]),
        Case("cut-no-size.lz4", "says no size and ends inside a block", unsized[:-20]),
        Case("magic-only-begun.lz4", "two bytes of the magic number", frame[:2]),
        Case("header-check.lz4", "the header's check is wrong", flipped(frame, header - 1)),
        Case("header-version.lz4", "a version that is not 1", flipped(frame, 4, 0xC0)),
        Case("header-reserved-bit.lz4", "a reserved bit is set", flipped(frame, 4, 0x02)),
        Case("header-block-size.lz4", "a block size that there is not", flipped(frame, 5, 0x70)),
        Case("content-checksum.lz4", "the content's checksum is wrong", flipped(frame, -1)),
        Case("block-checksum.lz4", "a block's checksum is wrong", flipped(checked, -9)),
        Case("content.lz4", "a letter is another one", flipped(frame, header + 30, 0x01)),
        Case("block-too-large.lz4", "a block is larger than blocks may be", flipped(frame, header + 2, 0x7F)),
        Case("size-too-small.lz4", "holds a byte more than it says", shorter[:header] + frame[header:]),
        Case("size-too-large.lz4", "holds a byte less than it says", longer[:header] + frame[header:]),
        Case("size-impossible.lz4", "says 4 MiB and has no block", lz4.frame.compress(zeros)[:header] + bytes(4)),
        Case("after-nul.lz4", "a byte after the end", frame + b"\0"),
        Case("after-frame.lz4", "another frame after the end", frame + frame),
        Case("after-json.lz4", "JSON after the end", frame + b"{}"),
        Case("skippable-before.lz4", "begins with a skippable frame", b"\x50\x2a\x4d\x18\x04\0\0\0abcd" + frame),
        Case("legacy.lz4", "the format before frames", b"\x02\x21\x4c\x18" + frame[4:]),
        Case("empty-content.lz4", "holds nothing", lz4.frame.compress(b"")),
        Case("not-json.lz4", "holds no JSON", lz4.frame.compress(b"\0" * 100)),
        Case("frame-in-frame.lz4", "holds a frame", lz4.frame.compress(frame, content_checksum=True)),
        Case("bomb.lz4", "4 MiB of zeros", lz4.frame.compress(zeros, compression_level=9)),
    ]


def zlib_cases(plain: bytes, dictionary: bytes) -> list[Case]:
    stream = zlib.compress(plain)
    return [
        Case("cut-header.zlib", "ends inside the header", stream[:1]),
        Case("cut-after-header.zlib", "ends after the header", stream[:2]),
        Case("cut-block.zlib", "ends inside a block", stream[:-60]),
        Case("cut-before-checksum.zlib", "has no checksum", stream[:-4]),
        Case("cut-checksum.zlib", "ends inside the checksum", stream[:-1]),
        Case("header-check.zlib", "the header's check is wrong", flipped(stream, 1, 0x01)),
        Case("header-window.zlib", "a window larger than there is", b"\x88\x1c" + stream[2:]),
        Case("header-method.zlib", "a method that there is not", b"y\x94" + stream[2:]),
        Case("checksum.zlib", "the checksum is wrong", flipped(stream, -1)),
        Case("block-type.zlib", "a type of block that there is not", stream[:2] + b"\x07" + stream[3:]),
        Case("stored-length.zlib", "a stored block whose lengths differ", b"x\x01\x01\x05\0\0\0hello"),
        Case("distance.zlib", "copies from before the start", b"x\x9c\x03\x02\0\0\0\0\x01"),
        Case("after-nul.zlib", "a byte after the end", stream + b"\0"),
        Case("after-stream.zlib", "another stream after the end", stream + stream),
        Case("gzip.zlib", "gzip's format", gzip.compress(plain, mtime=0)),
        Case("raw.zlib", "deflate without a header", stream[2:-4]),
        Case("unknown-dictionary.zlib", "needs a dictionary", zlib_stream(zdict=dictionary)(plain)),
        Case("empty-content.zlib", "holds nothing", zlib.compress(b"")),
        Case("not-json.zlib", "holds no JSON", zlib.compress(b"\0" * 100)),
        Case("stream-in-stream.zlib", "holds a stream", zlib.compress(stream)),
        Case("bomb.zlib", "4 MiB of zeros", zlib.compress(bytes(4 << 20), 9)),
    ]


def verdict(case: Case) -> dict:
    """What Python's one-call function makes of the bytes."""
    read = zlib.decompress if case.file.endswith(".zlib") else lz4.frame.decompress
    try:
        read(case.data)
    except zlib.error:
        return {"python": "rejects", "error": "zlib.error"}
    except RuntimeError:
        return {"python": "rejects", "error": "RuntimeError"}
    return {"python": "accepts"}


def hostile(captured: dict[str, bytes]) -> tuple[dict[str, bytes], list[dict]]:
    plain = captured["messages/options-all.json"]
    files, index = {}, []
    for case in [*lz4_cases(plain), *zlib_cases(plain, captured[DICTIONARY])]:
        name = f"hostile/{case.file}"
        files[name] = settled_case(name, case)
        index.append({"file": name, "why": case.why, **verdict(case)})
    return files, index


def settled_case(name: str, case: Case) -> bytes:
    """A damaged zlib stream is kept too, as long as Python says the same to it."""
    path = FOLDER / name
    if not case.file.endswith(".zlib") or not path.exists():
        return case.data
    found = path.read_bytes()
    return found if verdict(dataclasses.replace(case, data=found)) == verdict(case) else case.data


def files() -> dict[str, bytes]:
    captured = messages.files()
    good_files, good_index = good(captured)
    bad_files, bad_index = hostile(captured)
    indexes = {"index.json": document(rows(good_index)), "hostile/index.json": document(rows(bad_index))}
    made = {**good_files, **bad_files, **indexes}
    return {f"frames/{name}": data for name, data in made.items()}
