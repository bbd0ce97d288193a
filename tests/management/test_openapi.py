"""The OpenAPI document and what is served: the same routes, parameters and rights."""

import re
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import httpx2
import pytest

from omniroute.server.api.openapi_doors import DOORS
from omniroute.server.compose import Composed
from omniroute.server.rights import BELOW, EVERY, RIGHTS, SOCKET
from tests.v1.whole import client, opened

pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("openapi")]

TAKES_NO_BODY = {
    *("post /api/keyring", "put /api/db-backups"),
    *("post /api/a2a/tasks/{id}/cancel", "post /api/providers/{account}/test"),
}
"""What is done without being told more than the path."""


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Composed]:
    async with opened(tmp_path_factory.mktemp("openapi")) as made:
        yield made


@pytest.fixture
async def api(gateway: Composed) -> AsyncIterator[httpx2.AsyncClient]:
    async with client(gateway, authorization=f"Bearer {gateway.token}") as api:
        yield api


@pytest.fixture
async def document(api: httpx2.AsyncClient) -> dict[str, Any]:
    found: dict[str, Any] = (await api.get("/openapi.json")).json()
    return found


def operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from ([value["$ref"]] if "$ref" in value else [])
        for one in value.values():
            yield from references(one)
    elif isinstance(value, list):
        for one in value:
            yield from references(one)


def test_everything_with_a_right_beside_the_management_api_is_described() -> None:
    described = {(one.method, path) for one in DOORS for path in one.paths}
    below = {one.needed for one in DOORS if one.needed}

    missing = [
        f"{right.method} {right.path}"
        for right in RIGHTS
        if right.path not in below
        and ("get" if right.method == SOCKET else right.method.lower(), plain(right.path))
        not in described
        and not (right.method == EVERY and ("post", right.path) in described)
    ]
    assert missing == []
    assert {right.path for right in RIGHTS if right.path.endswith(BELOW)} == below


def plain(path: str) -> str:
    return path.replace(":path}", "}")


async def test_the_document_refers_to_nothing_that_it_lacks(document: dict[str, Any]) -> None:
    lost = []
    for reference in set(references(document)):
        found: Any = document
        for name in reference.removeprefix("#/").split("/"):
            found = found.get(name, {})
        if not found:
            lost.append(reference)

    assert lost == []


async def test_each_operation_has_a_name_of_its_own(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, _, operation in operations(document)]

    assert len(names) == len(set(names)) > 170


async def test_each_operation_of_the_management_api_is_described_whole(
    document: dict[str, Any],
) -> None:
    for method, path, operation in operations(document):
        if "x-omniroute-scope" not in operation:
            continue
        where = f"{method} {path}"
        assert operation["security"] == [{"key": [operation["x-omniroute-scope"]]}], where
        assert {"400", "401", "403", "503", "default"} <= set(operation["responses"]), where
        named = {one["name"] for one in operation["parameters"] if one["in"] == "path"}
        assert named == set(re.findall(r"{(\w+)}", path)), where
        takes_body = method in {"post", "put", "patch"} and where not in TAKES_NO_BODY
        assert ("requestBody" in operation) == takes_body, where


async def test_what_is_edited_has_an_etag_and_is_bound_by_it(document: dict[str, Any]) -> None:
    shown = {
        path
        for method, path, operation in operations(document)
        if method == "get" and "etag" in operation["responses"].get("200", {}).get("headers", {})
    }
    bound = {
        path
        for _, path, operation in operations(document)
        for one in operation["parameters"]
        if one["name"] == "if-match"
    }

    assert {re.sub("/(switch|roll|{pattern})$", "", path) for path in bound} == shown
    assert len(shown) >= 9


async def test_a_parameter_that_nothing_reads_is_refused_everywhere(
    document: dict[str, Any], api: httpx2.AsyncClient
) -> None:
    for method, path, operation in operations(document):
        if "x-omniroute-scope" not in operation:
            continue
        asked = re.sub(r"{\w+}", "x", path)

        answer = await api.request(method, asked, params={"nobody": "1"})

        assert answer.status_code == 400, f"{method} {path}: {answer.text}"
        assert answer.json()["error"]["param"] == "nobody"


@pytest.mark.parametrize(
    ("path", "field", "words"),
    [
        ("/api/requests?limit=0", "limit", "a number from 1 to 500"),
        ("/api/requests?limit=1&limit=2", "limit", "twice"),
        ("/api/requests?limit=%D9%A3", "limit", "a number"),
        ("/api/requests?limit=" + "9" * 5000, "limit", "a number"),
        ("/api/usage/calls?by=nobody", "by", "one of provider, model"),
        ("/api/usage/calls?range=7", "range", "range is such as"),
        ("/api/usage/calls?model=a%00b", "model", "U+0000"),
        ("/api/mcp/audit?success=maybe", "success", "true or false"),
        ("/api/a2a/tasks?state=none", "state", "one of"),
    ],
)
async def test_a_parameter_of_a_wrong_kind_is_refused_by_its_name(
    api: httpx2.AsyncClient, path: str, field: str, words: str
) -> None:
    answer = await api.get(path)

    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == field
    assert words in answer.json()["error"]["message"]


async def test_no_name_has_the_character_that_no_database_keeps(
    api: httpx2.AsyncClient,
) -> None:
    answers = [await api.get(f"/api/{one}/a%00b") for one in ("explain", "combos", "keys")]

    assert [one.status_code for one in answers] == [404, 404, 404]


async def test_a_wrong_method_is_told_all_that_are_right(api: httpx2.AsyncClient) -> None:
    answers = {
        path: (await api.request("OPTIONS", path)).headers["allow"]
        for path in ("/api/combos", "/api/keys/x", "/api/resilience", "/api/rate-limits")
    }

    assert answers == {
        "/api/combos": "GET, HEAD, POST",
        "/api/keys/x": "DELETE, GET, HEAD, PATCH",
        "/api/resilience": "GET, HEAD, PUT",
        # What it documented to be posted there is answered with 410.
        "/api/rate-limits": "GET, HEAD",
    }
