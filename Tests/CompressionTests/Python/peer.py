"""The other side of PythonInteropTests: reads what Swift compressed, and compresses for Swift to read.

python peer.py FOLDER

FOLDER/plain/NAME.json          messages
FOLDER/dictionary               a dictionary's file
FOLDER/swift/NAME.FORMAT        each of them compressed by Swift; FORMAT is lz4, zlib, dictionary.lz4, dictionary.zlib
FOLDER/python/NAME.N.FORMAT     what this script writes, at different settings
"""

from __future__ import annotations

import sys
import zlib
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "Fixtures"))

import dramatiq  # noqa: E402
import lz4.block  # noqa: E402
import lz4.frame  # noqa: E402
from dramatiq.brokers.stub import StubBroker  # noqa: E402
from dramatiq.encoder import JSONEncoder  # noqa: E402

dramatiq.set_broker(StubBroker(middleware=[]))

from capture.frames import LZ4_SETTINGS, ZLIB_SETTINGS  # noqa: E402


class LZ4Encoder(JSONEncoder):
    """The usual recipe for dramatiq."""

    def encode(self, data):
        return lz4.frame.compress(super().encode(data))

    def decode(self, data):
        return super().decode(lz4.frame.decompress(data))


class ZlibEncoder(JSONEncoder):
    def encode(self, data):
        return zlib.compress(super().encode(data))

    def decode(self, data):
        return super().decode(zlib.decompress(data))


def read_dictionary(path: Path) -> bytes:
    """A line of text, then the content."""
    line, content = path.read_bytes().split(b"\n", 1)
    name, version, identifier, size = line.decode("ascii").split(" ")
    assert (name, version, int(size)) == ("dramatiq-dictionary", "1", len(content)), line
    assert zlib.adler32(content) == int(identifier, 16)
    return content


#: Magic, flags, block size, content size, dictionary, check.
LZ4_HEADER = 4 + 1 + 1 + 8 + 4 + 1


def lz4_block_of(frame: bytes) -> bytes:
    """The only block of a frame with a dictionary; lz4.frame has no dictionaries, lz4.block has."""
    header = int.from_bytes(frame[LZ4_HEADER : LZ4_HEADER + 4], "little")
    stored, size = header >> 31, header & 0x7FFF_FFFF
    assert not stored
    assert frame[LZ4_HEADER + 4 + size :][:4] == bytes(4), "more than one block"
    return frame[LZ4_HEADER + 4 :][:size]


def read_all(folder: Path, plain: dict[str, bytes], dictionary: bytes) -> int:
    for name, content in plain.items():
        written = folder / "swift"
        lz4_frame = (written / f"{name}.lz4").read_bytes()
        assert lz4.frame.decompress(lz4_frame) == content, name
        assert lz4.frame.get_frame_info(lz4_frame)["content_size"] == len(content), name
        zlib_stream = (written / f"{name}.zlib").read_bytes()
        assert zlib.decompress(zlib_stream) == content, name
        for encoder, data in [(LZ4Encoder(), lz4_frame), (ZlibEncoder(), zlib_stream)]:
            assert encoder.decode(data) == JSONEncoder().decode(content) or b"NaN" in content, name

        reader = zlib.decompressobj(zdict=dictionary)
        data = (written / f"{name}.dictionary.zlib").read_bytes()
        assert reader.decompress(data) == content and reader.eof, name
        if len(content) <= 1 << 16:
            block = lz4_block_of((written / f"{name}.dictionary.lz4").read_bytes())
            assert lz4.block.decompress(block, uncompressed_size=len(content), dict=dictionary) == content, name
    return len(plain)


def write_all(folder: Path, plain: dict[str, bytes], dictionary: bytes) -> int:
    written = folder / "python"
    written.mkdir()
    lz4_settings, zlib_settings = list(LZ4_SETTINGS.values()), list(ZLIB_SETTINGS.values())
    for number, (name, content) in enumerate(plain.items()):
        for place, frame in enumerate([lz4_settings[0], lz4_settings[number % len(lz4_settings)]]):
            (written / f"{name}.{place}.lz4").write_bytes(frame(content))
        for place, stream in enumerate([zlib_settings[0], zlib_settings[number % len(zlib_settings)]]):
            (written / f"{name}.{place}.zlib").write_bytes(stream(content))
        compressor = zlib.compressobj(zdict=dictionary)
        (written / f"{name}.dictionary.zlib").write_bytes(compressor.compress(content) + compressor.flush())
        if len(content) <= 1 << 16:
            swift = (folder / "swift" / f"{name}.dictionary.lz4").read_bytes()
            block = lz4.block.compress(content, store_size=False, dict=dictionary)
            size = len(block).to_bytes(4, "little")
            # Header and checksum are the same, since content and dictionary are.
            (written / f"{name}.dictionary.lz4").write_bytes(swift[:LZ4_HEADER] + size + block + bytes(4) + swift[-4:])
    return len(list(written.iterdir()))


def main() -> None:
    folder = Path(sys.argv[1])
    plain = {path.stem: path.read_bytes() for path in sorted((folder / "plain").iterdir())}
    dictionary = read_dictionary(folder / "dictionary")
    print(read_all(folder, plain, dictionary), write_all(folder, plain, dictionary))


if __name__ == "__main__":
    main()
