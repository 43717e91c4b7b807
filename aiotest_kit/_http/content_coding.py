"""Content codings, done and undone (RFC 9110, 8.4.1). Bytes to bytes; knows nothing of messages."""

from __future__ import annotations

import zlib
from importlib import import_module
from typing import Any

from .._errors import UsageError

__all__ = ["CODINGS", "compress", "decompressed"]

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
    raise UsageError(f"compress={coding!r}: codings are {', '.join(CODINGS)}")


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
