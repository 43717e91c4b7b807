"""Content codings, done and undone (RFC 9110, 8.4.1). Bytes to bytes; knows nothing of messages."""

from __future__ import annotations

import zlib
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from .._messages.exceptions import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CODINGS", "PieceCompressor", "compress", "decompressed"]

CODINGS = ("gzip", "deflate", "br", "zstd")
EITHER_CONTAINER = 32 + zlib.MAX_WBITS


def compress(coding: object, body: bytes) -> bytes:
    """`body` in a content coding.

    Raises:
        UsageError: there is no such coding, or it takes an extra that is not installed.
    """
    if coding == "gzip":
        return zlib_compressed(body, 16 + zlib.MAX_WBITS)
    if coding == "deflate":
        return zlib_compressed(body, zlib.MAX_WBITS)
    if coding == "br":
        return bytes(brotli().compress(body))
    if coding == "zstd":
        return bytes(zstd().compress(body))
    raise unknown_coding(coding)


def unknown_coding(coding: object) -> UsageError:
    """The complaint of a coding that there is not."""
    return UsageError(f"compress={coding!r}: codings are {', '.join(CODINGS)}")


class PieceCompressor:
    """Compresses a body piece by piece, so that a client can read each piece as soon as it has it.

    Raises:
        UsageError: there is no such coding, or it takes an extra that is not installed.
    """

    def __init__(self, coding: object) -> None:
        if coding in ("gzip", "deflate"):
            stream = zlib.compressobj(wbits=zlib.MAX_WBITS + (16 if coding == "gzip" else 0))
            self._compress: Callable[[bytes], bytes] = stream.compress
            self._flush: Callable[[], bytes] = partial(stream.flush, zlib.Z_SYNC_FLUSH)
            self.end: Callable[[], bytes] = stream.flush
            """What ends the body."""
        elif coding == "br":
            brotli_stream = brotli().Compressor()
            self._compress, self._flush = brotli_stream.process, brotli_stream.flush
            self.end = brotli_stream.finish
        elif coding == "zstd":
            zstd_stream = zstd().ZstdCompressor()
            self._compress = zstd_stream.compress
            self._flush = partial(zstd_stream.flush, zstd_stream.FLUSH_BLOCK)
            self.end = zstd_stream.flush
        else:
            raise unknown_coding(coding)

    def piece(self, data: bytes) -> bytes:
        """A piece of the body, compressed."""
        return self._compress(data) + self._flush()


def decompressed(codings: str, body: bytes) -> bytes:
    """`body` without its codings, as `Content-Encoding` lists them; as it is, where that cannot be done.

    It may not be what it is said to be, in a test as anywhere.
    """
    try:
        for coding in reversed(codings.lower().split(",")):
            body = undone(coding.strip(), body)
    except Exception:  # each library has errors of its own
        return body
    return body


def undone(coding: str, body: bytes) -> bytes:
    """`body` without one coding."""
    if coding in ("gzip", "deflate"):
        return zlib.decompress(body, EITHER_CONTAINER)
    if coding == "br":
        return bytes(brotli().decompress(body))
    if coding == "zstd":
        return bytes(zstd().decompress(body))
    return body


def zlib_compressed(body: bytes, window: int) -> bytes:
    """`body` as one zlib stream, in the container that `window` asks for."""
    compressor = zlib.compressobj(wbits=window)
    return compressor.compress(body) + compressor.flush()


def brotli() -> Any:
    """The module for `br`."""
    return coding_module("brotli", "brotlicffi", extra="br")


def zstd() -> Any:
    """The module for `zstd`."""
    return coding_module("compression.zstd", "backports.zstd", extra="zstd")


def coding_module(*names: str, extra: str) -> Any:
    """The first module of `names` that is installed."""
    for name in names:
        try:
            return import_module(name)
        except ImportError:
            continue
    raise UsageError(f"compress={extra!r} needs more than is installed: pip install 'aiotest-kit[{extra}]'")
