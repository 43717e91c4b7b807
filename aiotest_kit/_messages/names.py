"""Which names have values that are secret: of headers, parameters, form fields, JSON keys and cookies.

In any case, and in any of the usual spellings: `api_key`, `api-key`, `apiKey`, `APIKEY`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise

__all__ = ["AUTHORIZATION", "COOKIE", "SET_COOKIE", "is_secret", "plain"]

AUTHORIZATION = frozenset({"authorization", "proxyauthorization"})
"""Plain names of what has a scheme, which is no secret, before its credentials (RFC 9110, 11.4)."""
COOKIE = "cookie"
SET_COOKIE = "setcookie"

WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
SECRET_WORDS = frozenset(
    name + plural
    for name in [
        "token",
        "secret",
        "password",
        "apikey",
        "sig",
        "signature",
        "sessionid",
        "credential",
        "jwt",
        "assertion",
    ]
    for plural in ("", "s")
) | {"passwd", "pwd"}
SECRET_PAIRS = frozenset({("api", "key"), ("api", "keys"), ("session", "id"), ("session", "ids")})
# What a name ends with that says something of a secret, and is none.
ABOUT_SECRETS = frozenset(
    [
        "type",
        "name",
        "url",
        "uri",
        "endpoint",
        "hint",
        "count",
        "limit",
        "length",
        "in",
        "at",
        "ttl",
        "expires",
    ],
)
SECRET_IF_LONG = frozenset({"code", "key", "state"})
LONG = 12


@lru_cache(maxsize=4096)
def words_of(name: str) -> tuple[str, ...]:
    """The words of a name, lower case: `X-Api-Key` and `xApiKey` have three."""
    return tuple(word.lower() for word in WORD.findall(name))


@lru_cache(maxsize=4096)
def plain(name: str) -> str:
    """A name in the one spelling in which names are compared: letters and digits, lower case."""
    return "".join(letter for letter in name.lower() if letter.isalnum())


@lru_cache(maxsize=4096)
def has_secret_word(name: str) -> bool:
    """Whether a name says that its value is a secret."""
    words = words_of(name)
    if not words or words[-1] in ABOUT_SECRETS:
        return False
    return any(word in SECRET_WORDS for word in words) or any(
        pair in SECRET_PAIRS for pair in pairwise(words)
    )


def is_secret(name: str, value: str, part: str = "") -> bool:
    """Whether a name's value, as text, is a secret; `part` is the part of a message that has it."""
    if part == "cookies":
        return True
    if has_secret_word(name):
        # max_tokens=100 is a number of words.
        return not (name.lower().endswith("tokens") and value.isdigit())
    # A short value of these is a plain word: `state=open`.
    return part in ("query", "form") and len(value) >= LONG and name.lower() in SECRET_IF_LONG
