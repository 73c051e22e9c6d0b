"""Python's lz4.frame and zlib doing the work of CompressionBenchmarks."""

from __future__ import annotations

import zlib

import dramatiq
import lz4.frame
from dramatiq.encoder import JSONEncoder

import peer


def compressing(format: str, level: int):
    if format == "zlib":
        return lambda data: zlib.compress(data, level)
    return lambda data: lz4.frame.compress(data, compression_level=level, content_checksum=True, block_linked=False)


def decompressing(format: str):
    return zlib.decompress if format == "zlib" else lz4.frame.decompress


class CompressedEncoder(JSONEncoder):
    """The recipe for dramatiq: compresses what its JSON encoder writes."""

    def __init__(self, format: str, level: int) -> None:
        self._compress = compressing(format, level)
        self._decompress = decompressing(format)

    def encode(self, data):
        return self._compress(super().encode(data))

    def decode(self, data):
        return super().decode(self._decompress(data))


def compress(seconds: float, format: str, level: int, message: str) -> peer.Round:
    call, data = compressing(format, level), message.encode()
    return peer.repeating(lambda: call(data), seconds)


def decompress(seconds: float, format: str, level: int, message: str) -> peer.Round:
    call, data = decompressing(format), compressing(format, level)(message.encode())
    return peer.repeating(lambda: call(data), seconds)


def encode(seconds: float, format: str, level: int, message: str) -> peer.Round:
    decoded = dramatiq.Message.decode(message.encode())
    dramatiq.set_encoder(CompressedEncoder(format, level))
    try:
        return peer.repeating(decoded.encode, seconds)
    finally:
        dramatiq.set_encoder(JSONEncoder())


def decode(seconds: float, format: str, level: int, message: str) -> peer.Round:
    encoder = CompressedEncoder(format, level)
    data = compressing(format, level)(message.encode())
    dramatiq.set_encoder(encoder)
    try:
        return peer.repeating(lambda: dramatiq.Message.decode(data), seconds)
    finally:
        dramatiq.set_encoder(JSONEncoder())


if __name__ == "__main__":
    peer.serve({"compress": compress, "decompress": decompress, "encode": encode, "decode": decode})
