"""All faults, for `from aiotest_kit import faults` and `faults.Reset(after=100)`.

Each is named after what happens, and its docstring has the exception of aiohttp that the client sees. They
are at the top level, too. See docs/failures.md.
"""

from ._responders.connect_faults import ConnectTimeout, DNSFailure, Refuse, TLSFailure
from ._responders.faults import (
    BadChunk,
    BadHeader,
    Disconnect,
    Drip,
    Flaky,
    Garbage,
    ProxyError,
    Reset,
    Stall,
    Truncate,
    WrongEncoding,
)

__all__ = [
    "BadChunk",
    "BadHeader",
    "ConnectTimeout",
    "DNSFailure",
    "Disconnect",
    "Drip",
    "Flaky",
    "Garbage",
    "ProxyError",
    "Refuse",
    "Reset",
    "Stall",
    "TLSFailure",
    "Truncate",
    "WrongEncoding",
]
