"""Which values are secret whatever they are called: those that say by their beginning what they open.

Each shape is as its issuer documents it, and a little wider, as the values of tests are often made up.
"""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["BASE64_RUN", "decoded", "find_shapes"]

SHAPES = (
    r"eyJ[\w-]{5,2000}\.[\w-]{2,}\.[\w-]*",  # a JWT (RFC 7519), which begins with '{"' in base64
    r"AKIA[A-Z0-9]{12,}",  # an access key of AWS
    r"AIza[\w-]{16,}",  # a key of Google
    r"gh[pos]_[A-Za-z0-9]{12,}|github_pat_\w{12,}",
    r"sk_live_\w{8,}",  # Stripe
    r"sk-(?=[\w-]{0,100}\d)[\w-]{12,}",  # OpenAI, Anthropic
    r"xox[a-z]-[\w-]{8,}",  # Slack
)
# What stands for the ends of lines in source code, and in the repr of a text.
LINE_END = r"""(?:\s|\\[rn]|["'+,>|]|E(?=\s))"""
PEM = (
    r"-----BEGIN [A-Z0-9 ]+-----"
    rf"(?:[\s\S]{{0,9000}}?-----END [A-Z0-9 ]+-----|(?:{LINE_END}*[A-Za-z0-9+/=]{{16,}})*)"
)
BASIC = r"(?<![A-Za-z])[Bb]asic[ ]+(?P<basic>[A-Za-z0-9+/_-]{4,}={0,2})"
BASE64_RUN = r"[A-Za-z0-9+/_-]{12,}={0,2}"


@cache
def pattern() -> re.Pattern[str]:
    """All shapes in one; made when the first text is."""
    return re.compile(rf"(?<![A-Za-z0-9])(?:{'|'.join(SHAPES)})|{PEM}|{BASIC}")


def find_shapes(text: str) -> Iterator[tuple[int, int]]:
    """Where in a text something has the shape of a secret."""
    for found in pattern().finditer(text):
        if found["basic"] is None:
            yield found.span()
        elif b":" in decoded(found["basic"]):
            # "Basic" may be any word; credentials have a colon (RFC 7617).
            yield found.span("basic")


def decoded(run: str) -> bytes:
    """What some base64 stands for, in either alphabet; empty if it is none."""
    data = run.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return b64decode(data + "=" * (-len(data) % 4), validate=True)
    except Error:
        return b""
