"""What can be asked of a certificate."""

import asyncio
import sys

import pytest

from aiotest_kit import Tls, Upstream, UsageError


def test_shown() -> None:
    """It shows what it was asked for."""
    assert ("Tls('expired')", "Tls('valid', names=('a.test',))") == (
        repr(Tls("expired")),
        repr(Tls(names=["a.test"])),
    )


@pytest.mark.parametrize(
    ("kind", "names", "message"),
    [
        (
            "expird",
            None,
            "unknown kind 'expird' of TLS; kinds are: valid, expired, wrong-host, self-signed, client-cert",
        ),
        ("valid", [], "names=[]: a list of the names that a valid certificate is for"),
        ("valid", "a.test", "names='a.test': a list of the names that a valid certificate is for"),
        ("wrong-host", ["a"], "names=['a']: a list of the names that a wrong-host certificate is for"),
    ],
)
def test_refused(kind: str, names: list[str] | None, message: str) -> None:
    """What makes no sense is refused when it is said."""
    with pytest.raises(UsageError) as raised:
        Tls(kind, names=names)
    assert message == str(raised.value)


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without trustme the error names the extra."""
    monkeypatch.setitem(sys.modules, "trustme", None)
    with pytest.raises(UsageError) as raised:
        Upstream(tls=True)
    assert "tls= needs more than is installed: pip install 'aiotest-kit[tls]'" == str(raised.value)


@pytest.mark.parametrize("name", ["ca_pem", "client_pem", "ssl_context"])
def test_plain_upstream(name: str) -> None:
    """An upstream without TLS has nothing to be trusted."""
    with pytest.raises(UsageError) as raised:
        getattr(Upstream(), name)()
    assert "this upstream does not speak TLS; Upstream(tls=True) does" == str(raised.value)


def test_no_client_certificate() -> None:
    """Where clients need no certificate there is none."""
    pytest.importorskip("trustme")
    assert b"" == Upstream(tls=Tls()).client_pem
    assert Upstream(tls=Tls("client-cert")).client_pem.startswith(b"-----BEGIN")


async def test_what_is_no_http_is_refused_over_tls() -> None:
    """Over TLS, which cannot be closed on one side alone, the connection ends behind the 400."""
    async with Upstream(tls=True) as up:
        reader, writer = await asyncio.open_connection(up.url.host, up.url.port, ssl=up.ssl_context())
        writer.write(b"no request\r\n\r\n")
        refusal = await reader.read()
        writer.close()

    assert b"HTTP/1.1 400 Bad Request" == refusal.partition(b"\r\n")[0]
