"""The index offers every route that may match, newest first, and few others."""

import itertools
import random
import re
from collections.abc import Callable
from typing import Any

import pytest
from yarl import URL

from aiotest_kit._http.request import Origin, Request
from aiotest_kit._matching.request_pattern import RequestPattern
from aiotest_kit._matching.values import Exact, Subset
from aiotest_kit._routing.index import Index


def ask(url: str = "http://api.test/", method: str = "GET") -> Request:
    parsed = URL(url, encoded=True)
    return Request(method, Origin.of(parsed), parsed.raw_path_qs)


def index_of(patterns: list[RequestPattern]) -> Index[RequestPattern]:
    """An index whose items are the patterns themselves."""
    index: Index[RequestPattern] = Index()
    for order, pattern in enumerate(patterns):
        index.add(pattern, pattern, order)
    return index


# name -> the pattern of the nth route, and the request that it alone matches
Shape = tuple[Callable[[int], RequestPattern], Callable[[int], Request]]
SHAPES: dict[str, Shape] = {
    "literal": (
        lambda n: RequestPattern("GET", f"https://api.test/users/{n}"),
        lambda n: ask(f"https://api.test/users/{n}"),
    ),
    "path alone": (lambda n: RequestPattern("GET", f"/users/{n}"), lambda n: ask(f"http://x.test/users/{n}")),
    "encoded": (lambda n: RequestPattern("GET", f"/ü {n}"), lambda n: ask(f"http://x.test/%C3%BC%20{n}")),
    "any method": (lambda n: RequestPattern("*", f"/users/{n}"), lambda n: ask(f"http://x.test/users/{n}")),
    "methods": (
        lambda n: RequestPattern([f"A{n}", f"B{n}"], "/x"),
        lambda n: ask("http://x.test/x", f"B{n}"),
    ),
    "hosts": (lambda n: RequestPattern("GET", f"http://h{n}.test/x"), lambda n: ask(f"http://h{n}.test/x")),
    "any scheme": (
        lambda n: RequestPattern("GET", f"*://h{n}.test/x"),
        lambda n: ask(f"https://h{n}.test/x"),
    ),
    "ports": (
        lambda n: RequestPattern("GET", f"http://h.test:{n + 1}/x"),
        lambda n: ask(f"http://h.test:{n + 1}/x"),
    ),
    "wildcard host": (
        lambda n: RequestPattern("GET", f"http://*.test/x{n}"),
        lambda n: ask(f"http://a.test/x{n}"),
    ),
    "any port": (
        lambda n: RequestPattern("GET", f"http://h.test:*/x{n}"),
        lambda n: ask(f"http://h.test:7/x{n}"),
    ),
    "template": (
        lambda n: RequestPattern("GET", f"http://api.test/r{n}/{{id}}/x"),
        lambda n: ask(f"http://api.test/r{n}/7/x"),
    ),
    "behind a placeholder": (
        lambda n: RequestPattern("GET", f"/{{id}}/r{n}"),
        lambda n: ask(f"http://api.test/7/r{n}"),
    ),
    "behind a regex": (
        lambda n: RequestPattern("GET", f"/{{id:\\d+}}/r{n}"),
        lambda n: ask(f"http://api.test/7/r{n}"),
    ),
    "behind two in a segment": (
        lambda n: RequestPattern("GET", f"/{{a}}-{{b}}/r{n}"),
        lambda n: ask(f"http://api.test/7-8/r{n}"),
    ),
    "tail": (
        lambda n: RequestPattern("GET", f"/r{n}/{{tail:.*}}"),
        lambda n: ask(f"http://api.test/r{n}/a/b/c"),
    ),
    "query": (
        lambda n: RequestPattern("GET", f"/items?page={n}"),
        lambda n: ask(f"http://x.test/items?page={n}"),
    ),
    "query of many names": (
        lambda n: RequestPattern("GET", f"/items?k{n}=1"),
        lambda n: ask(f"http://x.test/items?a=1&k{n}=1"),
    ),
    "query option": (
        lambda n: RequestPattern("GET", "/items", query={"page": n}),
        lambda n: ask(f"http://x.test/items?sort=up&page={n}"),
    ),
    "query list": (
        lambda n: RequestPattern("GET", "/items", query={"page": [n, n + 1]}),
        lambda n: ask(f"http://x.test/items?page={n}&page={n + 1}"),
    ),
    "query of a regex": (
        lambda n: RequestPattern("GET", re.compile(".*"), query={"page": n}),
        lambda n: ask(f"http://x.test/items?page={n}"),
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_one_of_many(shape: str) -> None:
    """However many routes there are, what is offered for a request are those for it, and hardly another."""
    pattern_of, request_of = SHAPES[shape]
    patterns = [pattern_of(n) for n in range(300)]
    request = request_of(150)

    offered = list(index_of(patterns).candidates(request))

    assert [patterns[150]] == [pattern for pattern in offered if pattern.matches(request)]
    assert len(offered) <= 2


def test_common_parameters_do_not_crowd() -> None:
    """Of several parameters a route is filed under one that few others have."""
    index = index_of([RequestPattern("GET", f"/items?sort=up&page={n}") for n in range(300)])

    offered = list(index.candidates(ask("http://api.test/items?page=150&sort=up")))

    assert len(offered) == 2


URLS = [
    *(None, "/", "/a", "/a/b", "/{x}", "/a/{x}", "/{x}/b", "/{x}/{y}", "/{x:.*}", "/a/{x:.*}", "/a{x:.*}"),
    *("/{x}.txt", "/a%20b", "/a b", "/a%2Fb", "/{x:\\d+}", "/?q=1", "/a?q=1", "/a?q=1&r=2", "/a/"),
    *("http://api.test/a", "https://api.test/a", "*://api.test/a", "http://*/a", "http://*.test/{x}"),
    *("http://api.test:*/a", "http://api.test:8080/a", "http://api.test/{x}/b?q=1", "http://api.test/{x:.*}"),
    *(re.compile(".*/a"), re.compile("http://.*")),
]
SENT = [
    *("http://api.test/", "http://api.test/a", "https://api.test/a", "http://api.test:8080/a"),
    *("http://api.test/a?q=1", "http://api.test/a?r=2&q=1&q=1", "http://api.test/?q=1", "http://b.test/a/b"),
    *("http://api.test/a/b?q=1", "http://api.test/a%20b", "http://api.test/a%2Fb", "http://api.test/12"),
    *("http://api.test/x.txt", "http://api.test/a/", "http://api.test/abc", "http://api.test/a/b/c"),
]
OPTIONS: list[Any] = [
    {},
    {},
    {"query": {"z": "1"}},
    {"query": {"z": ["1", "2"]}},
    {"query": Exact({})},
    {"query": {"z": Subset("1")}},
]


@pytest.mark.parametrize("seed", range(20))
def test_none_is_left_out(seed: int) -> None:
    """What is offered holds all that match, in the order in which a search through everything finds them."""
    draw = random.Random(seed)
    patterns = [
        RequestPattern(
            draw.choice(["GET", "POST", ["GET", "POST"], "*"]),
            draw.choice(URLS),
            **draw.choice(OPTIONS),
        )
        for _ in range(60)
    ]
    index = index_of(patterns)
    for pattern in draw.sample(patterns, 20):
        index.remove(pattern)
    left = list(index)

    for url, method, query in itertools.product(SENT, ["GET", "POST", "PUT"], ["", "z=1", "z=1&z=2"]):
        request = ask(url + ("&" if "?" in url else "?") * bool(query) + query, method)
        offered = list(index.candidates(request))

        assert len(offered) == len({id(pattern) for pattern in offered})
        assert [p for p in reversed(left) if p.matches(request)] == [p for p in offered if p.matches(request)]


def test_newest_first() -> None:
    """Candidates of every kind come in one order, the last added first."""
    patterns = [
        RequestPattern("GET", "/users/7"),
        RequestPattern("*", re.compile(".*")),
        RequestPattern("GET", "/users/{id}"),
        RequestPattern("GET", "http://api.test/users/7"),
        RequestPattern("GET", "/users/7"),
        RequestPattern(["GET", "POST"], "/users/7?page=2"),
        RequestPattern("GET", "/{tail:.*}"),
    ]

    found = list(index_of(patterns).candidates(ask("http://api.test/users/7?page=2")))

    assert list(reversed(patterns)) == found


def test_items_in_order_of_addition() -> None:
    """The index is a collection of its items."""
    patterns = [RequestPattern("GET", f"/{n}") for n in range(3)]
    index = index_of(patterns)
    assert patterns == list(index)
    assert 3 == len(index)

    index.remove(patterns[1])

    assert [patterns[0], patterns[2]] == list(index)
    assert 2 == len(index)


def test_removed_items_are_not_offered() -> None:
    """What is removed is gone, from each place where it was, and removing it again is an error."""
    patterns = [RequestPattern(["GET", "POST"], "*://api.test/x") for _ in range(2)]
    index = index_of(patterns)

    index.remove(patterns[0])

    assert [patterns[1]] == list(index.candidates(ask("http://api.test/x")))
    assert [patterns[1]] == list(index.candidates(ask("https://api.test/x", "POST")))
    with pytest.raises(KeyError):
        index.remove(patterns[0])

    index.remove(patterns[1])

    assert [] == list(index.candidates(ask("http://api.test/x")))
    assert [] == list(index)


def test_an_item_comes_back_to_its_place() -> None:
    """An item that is removed and added again with its old order is as old as before."""
    patterns = [RequestPattern("GET", "/x") for _ in range(4)]
    index = index_of(patterns)
    for order in (2, 0):
        index.remove(patterns[order])
    for order in (2, 0):
        index.add(patterns[order], patterns[order], order)

    assert patterns == list(index)
    assert patterns[::-1] == list(index.candidates(ask("http://api.test/x")))


def test_empty() -> None:
    """An empty index offers nothing."""
    index: Index[object] = Index()

    assert [] == list(index.candidates(ask()))
    assert [] == list(index)
    assert 0 == len(index)


def test_nothing_is_kept() -> None:
    """An index that is emptied again is as it was, however many routes went through it."""
    index = index_of(patterns := [pattern_of(n) for pattern_of, _ in SHAPES.values() for n in range(3)])
    for pattern in patterns:
        index.remove(pattern)

    assert [0, 0, 0] == [len(getattr(index, name)) for name in Index.__slots__]


def test_the_index_may_change_meanwhile() -> None:
    """A search goes on with what there was when it began: routes come and go while a server runs."""
    patterns = [RequestPattern("GET", "/x") for _ in range(3)]
    index = index_of(patterns)

    found = index.candidates(ask("http://api.test/x"))
    assert patterns[2] == next(found)
    index.add(late := RequestPattern("GET", "/x"), late, 3)
    index.remove(patterns[0])

    assert [patterns[1], patterns[0]] == list(found)
    assert [late, *patterns[:0:-1]] == list(index.candidates(ask("http://api.test/x")))
