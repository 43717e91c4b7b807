"""What a type checker must refuse. Nothing here is run; an `ignore` that is not needed is an error."""

# pyright: reportUnnecessaryTypeIgnoreComment=true

import aiotest_kit
from aiotest_kit import Reply, Route, Router, mock, reply as misspelt_class  # type: ignore[attr-defined]
from aiotest_kit.fixtures import mock_fixture, upstream_fixture


def misspelt(router: Router, route: Route) -> None:
    misspelt_class(200)
    aiotest_kit.Rputer()  # type: ignore[attr-defined]
    router.get("/users", jsn={})  # type: ignore[call-arg]
    route.reply(200, payload={})  # type: ignore[call-arg]
    Reply(200, txt="")  # type: ignore[call-arg]
    route.calls.one(jsn={})  # type: ignore[call-arg]


def positional(router: Router, route: Route) -> None:
    route.reply(200, {"id": 7})  # type: ignore[arg-type]
    route.assert_called_with({"id": 7})  # type: ignore[arg-type]
    router.get("/users", "name")  # type: ignore[call-arg]


def of_another_type(router: Router, route: Route) -> None:
    router.get(7)  # type: ignore[arg-type]
    route.reply(200, text=b"")  # type: ignore[arg-type]
    route.reply(200, times="2")  # type: ignore[arg-type]
    mock(unmatched="ignore")  # type: ignore[arg-type]
    upstream_fixture(scope="test")  # type: ignore[arg-type]
    mock_fixture(scope="test")  # type: ignore[arg-type]
    mock_fixture(unmatched="no")  # type: ignore[arg-type]
    mock_fixture(unused="passthrough")  # type: ignore[arg-type]


def forgotten_await(route: Route) -> None:
    route.wait().last  # type: ignore[attr-defined]  # noqa: B018


def read_only(reply: Reply) -> None:
    reply.headers["X-A"] = "1"  # type: ignore[index]
