"""What is a secret, by its name and by its shape, as tables; and what is shown in its place."""

import json
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, quote_plus, urlencode

import aiohttp
import pytest
from multidict import CIMultiDict
from yarl import URL

from aiotest_kit import Exact, Subset
from aiotest_kit._http.call import Client
from aiotest_kit._matching.values import Mismatch
from aiotest_kit._messages.masking import MOST_KNOWN, Secrets, current, use, without_secrets
from aiotest_kit._messages.names import is_secret
from aiotest_kit._messages.wording import one_line

VALUE = "Tr0ub4dor-and-three"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0MiJ9.c2lnbmVkLWJ5LW5vYm9keQ"
PEM = (
    "-----BEGIN PRIVATE KEY-----\n"
    "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcw\nggSjAgEAAoIBAQ==\n"
    "-----END PRIVATE KEY-----"
)
SHAPES = {
    "JWT": JWT,
    "AWS": "AKIAIOSFODNN7EXAMPLE",
    "Google": "AIzaSyD-abcdefghijklmnopqrstuvwxyz12345",
    "GitHub": "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "GitHub app": "gho_16C7e42F292c6912E7710c838347Ae178B4a",
    "GitHub server": "ghs_16C7e42F292c6912E7710c838347Ae178B4a",
    "GitHub fine-grained": "github_pat_11ABCDEFG0123456789_abcdefghijkl",
    "sk": "sk-abcdef0123456789abcdef",
    "Stripe": "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
    "Slack": "xoxb-123456789012-abcdefABCDEF",
    "PEM": PEM,
}


@pytest.fixture
def secrets() -> Secrets:
    return Secrets()


# ---- by name ----


@pytest.mark.parametrize(
    "name",
    [
        *("token", "Token", "access_token", "accessToken", "ACCESS_TOKEN", "access-token", "X-Auth-Token"),
        *("id_token", "refreshToken", "csrfToken", "csrf_tokens", "token2"),
        *("secret", "client_secret", "clientSecret", "ClientSecret", "secrets"),
        *("password", "Password", "newPassword", "user[password]", "passwd", "pwd", "db.pwd"),
        *("apikey", "api_key", "api-key", "apiKey", "APIKey", "API_KEY", "X-Api-Key", "XApiKey"),
        *("sig", "signature", "X-Amz-Signature", "X-Hub-Signature-256"),
        *("sessionid", "session_id", "sessionId", "SESSION-ID", "ASP.NET_SessionId"),
        *("credential", "credentials", "X-Amz-Credential", "jwt", "JWT", "userJwt"),
        *("assertion", "client_assertion", "SAMLAssertion"),
    ],
)
def test_secret_names(name: str) -> None:
    """In any case and spelling, a name with such a word."""
    assert is_secret(name, "x")


@pytest.mark.parametrize(
    "name",
    [
        *(
            "name",
            "id",
            "tokenizer",
            "design",
            "secretary",
            "keyboard",
            "passwordless",
            "session",
            "api",
            "key",
        ),
        *(
            "token_type",
            "tokenType",
            "secret_name",
            "token_url",
            "tokenUri",
            "token-endpoint",
            "passwordHint",
        ),
        *(
            "token_count",
            "token_limit",
            "password_length",
            "token_expires_in",
            "tokenExpiresAt",
            "session_id_ttl",
        ),
        *("token_expires", "author", "authorization_url", "cookies", "monkey", "sigma", "state", "code", ""),
        *("größe", "名前"),
    ],
)
def test_names_of_other_things(name: str) -> None:
    """Names that only look so, or that say something about a secret."""
    assert not is_secret(name, "a value that is long enough")


@pytest.mark.parametrize("name", ["code", "key", "state", "Code", "KEY"])
@pytest.mark.parametrize(
    ("part", "value", "expected"),
    [
        ("query", "a" * 12, True),
        ("form", "a" * 12, True),
        ("query", "a" * 11, False),
        ("json", "a" * 12, False),
        ("headers", "a" * 12, False),
    ],
)
def test_names_that_are_secret_where_long(name: str, part: str, value: str, expected: bool) -> None:
    """What authorizes, in a query or a form, has 12 characters or more."""
    assert expected is is_secret(name, value, part)


def test_number_of_tokens() -> None:
    """A number of tokens is a number of words, as language models count them."""
    assert not is_secret("max_tokens", "100")
    assert is_secret("tokens", "abc")


M1 = "‹secret 1›"  # noqa: RUF001 - what is shown
M2 = "‹secret 2›"  # noqa: RUF001

TEXTS = {
    "JSON": ('{"password": "hunter2", "user": "ada"}', f'{{"password": "{M1}", "user": "ada"}}'),
    "JSON without blanks": ('{"password":"hunter2"}', f'{{"password":"{M1}"}}'),
    "JSON in a text": (r'"{\"password\": \"hunter2\"}"', rf'"{{\"password\": \"{M1}\"}}"'),
    "JSON number": ('{"token": 7, "password": null}',) * 2,
    "repr of a dict": ("{'api_key': 'k', 'a': 1}", f"{{'api_key': '{M1}', 'a': 1}}"),
    "repr of headers": ("<CIMultiDict('X-Api-Key': 'k')>", f"<CIMultiDict('X-Api-Key': '{M1}')>"),
    "repr of raw headers": ("((b'X-Api-Key', b'k'),)", f"((b'X-Api-Key', b'{M1}'),)"),
    "list of names": ("['password', 'email']",) * 2,
    "repr of a regex": ("{'token': re.compile('abc')}", f"{{'token': re.compile('{M1}')}}"),
    "repr of dirty-equals": ("{'token': IsStr(regex='abc')}", f"{{'token': IsStr(regex='{M1}')}}"),
    "code": ("{'token': os.environ['X'], 'b': 'c'}",) * 2,
    "header": ("X-Api-Key: abc def", f"X-Api-Key: {M1}"),
    "annotation": ("    token: str = 'abc'",) * 2,
    "bearer": ("Authorization: Bearer abc", f"Authorization: Bearer {M1}"),
    "without a scheme": ("{'Authorization': 'abc'}", f"{{'Authorization': '{M1}'}}"),
    "digest": (
        "Proxy-Authorization: Digest username=Mufasa, response=8ca5",
        f"Proxy-Authorization: Digest {M1}",
    ),
    "cookie": ("Cookie: sid=abc; theme=dark", f"Cookie: sid={M1}; theme={M2}"),
    "set-cookie": ("Set-Cookie: sid=abc; Path=/; HttpOnly", f"Set-Cookie: sid={M1}; Path=/; HttpOnly"),
    "quoted cookie": ('{"Cookie": "sid=abc"}', f'{{"Cookie": "sid={M1}"}}'),
    "query": ("GET http://h/x?a=1&token=abc&b=2#c", f"GET http://h/x?a=1&token={M1}&b=2#c"),
    "empty": ("http://h/x?token=&b=2",) * 2,
    "code in a query": ("/cb?code=0123456789ab&state=short", f"/cb?code={M1}&state=short"),
    "encoded name": ("/x?user%5Bpassword%5D=abc", f"/x?user%5Bpassword%5D={M1}"),
    "form": ("b'password=abc&user=ada'", f"b'password={M1}&user=ada'"),
    "argument": ("f(token=abc)",) * 2,
    "userinfo": ("http://ada:hunter2@h/x", f"http://ada:{M1}@h/x"),
    "user alone": ("http://hunter2@h/x", f"http://{M1}@h/x"),
    "at sign in a path": ("http://h/@ada:8/x",) * 2,
    "basic": ("Basic dXNlcjpwYXNz, Basic test, basic auth", f"Basic {M1}, Basic test, basic auth"),
    "basic that is not UTF-8": (
        f"Basic {b64encode('é:ü'.encode('latin1')).decode()}",
        f"Basic {M1}",
    ),
    "in a URL in a query": ("/x?next=%2Fy%3Ftoken%3Dabc%26b", f"/x?next=/y%3Ftoken%3D{M1}%26b"),
    "nothing": ("no route answered GET http://api.test/v1/users?page=2",) * 2,
    "shown already": (f"{{'token': '{M1}', 'Authorization': 'Bearer {M2}'}}",) * 2,
    "part of it shown already": (f"{{'token': 'a{M2}b'}}", f"{{'token': '{M1}'}}"),
}


@pytest.mark.parametrize(("text", "expected"), TEXTS.values(), ids=TEXTS.keys())
def test_texts(secrets: Secrets, text: str, expected: str) -> None:
    """A text without the values of secret names; the rest of it as it was."""
    assert expected == secrets.mask(text)
    assert expected == secrets.mask(expected)


# ---- by shape ----


def plain(value: str) -> str:
    return value


ENCODINGS: list[Callable[[str], str]] = [
    plain,
    quote,
    lambda value: quote(value, safe=""),
    quote_plus,
    lambda value: "".join(f"%{byte:02x}" for byte in value.encode()),
    lambda value: b64encode(value.encode()).decode(),
    lambda value: urlsafe_b64encode(value.encode()).decode().rstrip("="),
    lambda value: quote(b64encode(value.encode()).decode(), safe=""),
    lambda value: json.dumps({"a": value}),
    lambda value: repr(value.encode()),
    lambda value: repr({"x": json.dumps(value)}),
]


@pytest.mark.parametrize("encode", ENCODINGS, ids=range(len(ENCODINGS)))
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("around", ["{}", "a {}, b", "'{}'", "http://h/?q={}&b=1", "x={}"])
def test_shapes(secrets: Secrets, shape: str, encode: Callable[[str], str], around: str) -> None:
    """They are found wherever they are, also percent-encoded and in base64."""
    written = encode(SHAPES[shape])
    masked = secrets.mask(around.format(written))
    assert M1 in masked
    body = SHAPES[shape].splitlines()[1] if shape == "PEM" else SHAPES[shape][8:]
    for left in (written, body, encode(SHAPES[shape])[12:]):
        assert left not in masked


@pytest.mark.parametrize(
    "text",
    [
        *(
            "eyJ",
            "eyJhbGciOiJIUzI1NiJ9",
            "AKIA",
            "BAKIAIOSFODNN7EXAMPLE",
            "AIza",
            "ghp_",
            "ghx_0123456789abcdef",
        ),
        *("sk-", "task-abcdef0123456789abcdef", "sk-learn-has-no-digits", "sk_test", "xox", "xoxo-xoxo"),
        *("-----BEGIN", "BEGIN PRIVATE KEY", "Basic", "Basic instinct", "Basic dXNlcg=="),
        *("aGVsbG8gd29ybGQgaG93IGFyZQ==", "%41%42%43", "100%", "/users/7/orders", "a" * 500, "0" * 500),
        "d41d8cd98f00b204e9800998ecf8427e 550e8400-e29b-41d4-a716-446655440000",
    ],
)
def test_other_shapes(secrets: Secrets, text: str) -> None:
    """What only begins so, and encoded texts that have no secret."""
    assert text == secrets.mask(text)


@pytest.mark.parametrize(
    "text",
    [
        PEM.replace("\n", "\nE       "),
        PEM.replace("\n", "\\n"),
        "\n".join(f'"{line}\\n"' for line in PEM.splitlines()),
        PEM.partition("\n-----END")[0],
    ],
    ids=["in a traceback", "in a repr", "in source", "cut"],
)
def test_lines_of_a_key(secrets: Secrets, text: str) -> None:
    """A key of several lines is one secret, as pytest shows it, too."""
    assert f"a {M1}" == secrets.mask(f"a {text}").replace('"\n"', "").replace('"', "").rstrip()[: len(M1) + 2]
    assert "MIIE" not in secrets.mask(text)
    assert "ggSj" not in secrets.mask(text) or "BEGIN" not in text


# ---- known values ----


def test_numbers(secrets: Secrets) -> None:
    """The same secret has the same number, in the order in which they are shown; a new test begins anew."""
    assert f"{{'token': '{M1}', 'pwd': '{M2}'}}" == secrets.mask("{'token': 'first', 'pwd': 'second'}")
    assert f"?token={M2}&pwd={M1}" == secrets.mask("?token=second&pwd=first")
    secrets.renew()
    assert f"?pwd={M1}" == secrets.mask("?pwd=second")


@pytest.mark.parametrize(
    "value",
    [
        VALUE,
        'with "quotes"',
        "it's",
        "a\\b-slash",
        "line\none-more",
        "grüße-日本",
        "a b+c/d=e&f?%",
        "x\ty-z1",
    ],
)
@pytest.mark.parametrize("encode", ENCODINGS, ids=range(len(ENCODINGS)))
def test_known_values(secrets: Secrets, value: str, encode: Callable[[str], str]) -> None:
    """What is known is found in each of its spellings."""
    secrets.learn(value)
    written = encode(value)
    masked = secrets.mask(f"see {written} there")
    assert M1 in masked
    assert written not in masked


@pytest.mark.parametrize(
    ("value", "text", "expected"),
    [
        ("abc", "abc", "abc"),
        ("true", "true", "true"),
        ("dark", "dark darkness _dark dark.", f"{M1} darkness _dark {M1}."),
        ("hunter2", "xhunter2 hunter2", f"xhunter2 {M1}"),
        ("hunter22", "xhunter22y", f"x{M1}y"),
        ("secret", f"a secret {M1}", f"a {M1} {M1}"),
    ],
)
def test_short_values(secrets: Secrets, value: str, text: str, expected: str) -> None:
    """Short values are words of their own, and very short ones are not looked for."""
    secrets.learn(value)
    assert expected == secrets.mask(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"'Bearer {VALUE[:9]}...{VALUE[-7:]}'", f"'Bearer {M1}...{M1}'"),
        (f"{VALUE[:6]}…", f"{M1}…"),
        (f"{VALUE[:3]}...", f"{VALUE[:3]}..."),
        (f"{VALUE}...{VALUE}", f"{M1}...{M1}"),
        (
            f"Skipping 50 identical leading characters in diff\nE     - {VALUE[-9:]}x\nE     + a",
            f"Skipping 50 identical leading characters in diff\nE     - {M1}x\nE     + a",
        ),
        (
            f"Skipping 50 identical trailing characters in diff\nE     - a{VALUE[:9]}\nE     + a",
            f"Skipping 50 identical trailing characters in diff\nE     - a{M1}\nE     + a",
        ),
    ],
)
def test_pieces(secrets: Secrets, text: str, expected: str) -> None:
    """Where pytest has shortened a text, what it left of a secret is masked."""
    secrets.learn(VALUE)
    secrets.learn("short")
    assert expected == secrets.mask(text)


def test_overlapping(secrets: Secrets) -> None:
    """Where two overlap, both are masked, as one."""
    secrets.learn("words sk_live_")
    assert f"two {M1}!" == secrets.mask("two words sk_live_4eC39HqLyjWD!")


def test_not_too_many_are_known(secrets: Secrets) -> None:
    """In a process that goes on and on, what was learned first is forgotten."""
    for number in range(MOST_KNOWN):
        secrets.learn(f"value-{number}")
    secrets.learn(VALUE)
    assert M1 == secrets.mask(VALUE)
    assert "value-0" == secrets.mask("value-0")


def test_what_is_learned(secrets: Secrets) -> None:
    """From named values, JSON and texts; what is shown masked is no secret."""
    secrets.learn_named("Authorization", f"Basic {b64encode(b'ada:pass-word').decode()}")
    secrets.learn_named("Cookie", "a=cookie-a; b=cookie-b")
    secrets.learn_json({"auth": [{"token": ["in-a-list", 7]}], "name": "ada"})
    secrets.learn_text(f"x {JWT} /y?next=%2F%3Fpwd%3Dquoted-one")
    secrets.learn(M1)
    for value in ("pass-word", "cookie-a", "cookie-b", "in-a-list", JWT, "quoted-one"):
        assert "‹secret" in secrets.mask(f"- {value} -"), value  # noqa: RUF001
    assert "ada" == secrets.mask("ada")


# ---- values ----


@pytest.mark.parametrize(
    ("value", "name", "part", "text"),
    [
        ("abc", "", "", "'abc'"),
        ("abc", "token", "", f"'{M1}'"),
        (b"abc", "token", "", f"b'{M1}'"),
        (b"abc", "name", "", "b'abc'"),
        (7, "token", "", "7"),
        (7, "pin", "", M1),
        (True, "pin", "", M1),
        ("1234", "PIN", "", f"'{M1}'"),
        ("Bearer abc", "authorization", "headers", f"'Bearer {M1}'"),
        (
            {"token": "abc", "n": {"pwd": ["a", 1]}},
            "",
            "",
            f"{{'token': '{M1}', 'n': {{'pwd': ['{M2}', 1]}}}}",
        ),
        ([("a", "b")], "", "", "[('a', 'b')]"),
        (("abc",), "token", "", f"('{M1}',)"),
        (re.compile("abc"), "token", "", f"re.compile('{M1}')"),
        (re.compile("abc"), "name", "", "re.compile('abc')"),
        (re.compile(b"abc"), "token", "", "re.compile(b'abc')"),
        (Subset({"token": Exact("abc")}), "", "", f"Subset({{'token': Exact('{M1}')}})"),
        (Subset("abc"), "token", "", f"Subset('{M1}')"),
        ({"theme": "dark"}, "", "cookies", f"{{'theme': '{M1}'}}"),
        ({"state": "a" * 12}, "", "form", f"{{'state': '{M1}'}}"),
        (None, "token", "", "None"),
    ],
)
def test_values(value: object, name: str, part: str, text: str) -> None:
    """A value is masked by its names before it is text; numbers where the project's own names say so."""
    assert text == repr(Secrets(["pin"]).masked(value, name, part))


def test_values_that_are_nested_deep(secrets: Secrets) -> None:
    """What is nested too deep for its repr is left to that."""
    value: list[object] = []
    for _ in range(10_000):
        value = [value]
    assert value is secrets.masked(value)
    secrets.learn_json(value)
    assert "<list, whose repr raised RecursionError>" == one_line(value)


def test_values_that_are_shortened() -> None:
    """No piece of a secret is left where a value is shortened."""
    for size in range(120):
        shown = one_line({"a": "x" * size, "password": VALUE * 3, "z": "y" * 90}, 60)
        assert not any(VALUE[start : start + 6] in shown for start in range(12)), shown
        shown = one_line("x" * size + f'{{"password": "{VALUE * 3}"}}' + "y" * 90, 60)
        assert not any(VALUE[start : start + 6] in shown for start in range(12)), shown


def test_huge_values() -> None:
    """Of a huge value both ends are looked at."""
    shown = one_line({"password": VALUE, "a": "x" * 100_000, "token": VALUE}, 200)
    assert VALUE not in shown
    assert "‹secret" in shown  # noqa: RUF001
    assert shown.endswith("›'}")  # noqa: RUF001


@pytest.mark.parametrize("text", ["a", "", VALUE])
def test_mapping_of_another_type(text: str) -> None:
    """Mappings of other types are masked by what their repr shows."""
    assert text not in one_line(CIMultiDict(token=f"-{text}-")) or not text


# ---- which secrets are in use ----


def test_in_use() -> None:
    """One book of secrets is in use, the newest; shown ones are not masked, also where they have a name."""
    before = current()
    end = use(Secrets(shown=True))
    try:
        assert "?token=abc" == without_secrets("?token=abc")
        assert "abc" == current().mask_named("token", "abc")
        assert {"token": "abc"} == current().masked({"token": "abc"})
    finally:
        end()
    assert before is current()
    assert "abc" not in without_secrets("?token=abc")


def test_names_of_a_project() -> None:
    """Names that a project adds are secret as a whole, in any case and spelling."""
    secrets = Secrets(["X-Tenant", "card number"])
    text = f"X-Tenant: acme\n{urlencode({'x': 1, 'cardNumber': '4111 1111'})} {{'card_number': '4111 1111'}}"
    assert f"X-Tenant: {M1}\nx=1&cardNumber={M2} {{'card_number': '{M2}'}}" == secrets.mask(text)
    assert "tenant: acme" == secrets.mask("tenant: acme")


@pytest.mark.parametrize(
    "text",
    [
        *("a" * 100_000, "'" * 20_000, "\\" * 20_000, "%41" * 20_000, '"a": "' * 10_000, "a-" * 20_000),
        *("eyJaaaaaa-" * 3_000, "sk-a" * 10_000, "-----BEGIN A-----" * 200, "://" * 20_000, "x@" * 20_000),
    ],
    ids=lambda text: text[:6],
)
@pytest.mark.usefixtures("patience")
def test_long_texts_take_no_time(secrets: Secrets, text: str) -> None:
    """A text of any form is masked in a time that grows with its length alone."""
    secrets.mask(text)


@pytest.fixture
def patience(request: pytest.FixtureRequest) -> Any:
    """Seconds that no text may take, with much room for a slow machine."""
    from time import process_time

    before = process_time()
    yield
    assert process_time() - before < 5


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (
            Mismatch("headers", "X-Api-Key", "abc", "def"),
            f"Mismatch(part='headers', path='X-Api-Key', expected='{M1}', actual='{M2}')",
        ),
        (
            Mismatch("json", "$.a.token[0]", "abc", 7),
            f"Mismatch(part='json', path='$.a.token[0]', expected='{M1}', actual=7)",
        ),
        (
            Mismatch("json", "$['api key']", "abc", "a"),
            f"Mismatch(part='json', path=\"$['api key']\", expected='{M1}', actual='{M2}')",
        ),
        (
            Mismatch("json", "$[0]", "abc", "a"),
            "Mismatch(part='json', path='$[0]', expected='abc', actual='a')",
        ),
        (
            Client(aiohttp.ClientTimeout(7), True, URL("http://ada:abc@proxy.test/"), None),
            f"Client(timeout={aiohttp.ClientTimeout(7)!r}, ssl=True, "
            f"proxy=URL('http://ada:{M1}@proxy.test/'), server_hostname=None)",
        ),
    ],
)
def test_reprs(value: object, text: str) -> None:
    """The repr of a difference, and of what a client asked of its connection, has no secret."""
    end = use(Secrets())
    try:
        assert text == repr(value)
    finally:
        end()
