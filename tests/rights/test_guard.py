"""Which Host and Origin the guard lets by."""

import pytest

from omniroute.server.guard import Guard, host_name

GUARD = Guard(
    hosts=("127.0.0.1", "localhost", "::1", "Gateway.Example"),
    origins=("https://Good.example", "vscode://one"),
)


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.0.0.1:20128", "localhost:1", "LOCALHOST", "[::1]", "[::1]:20128"),
        *("gateway.example", "Gateway.EXAMPLE:443", "localhost:00001"),
    ],
)
def test_a_host_that_is_allowed_may_pass_however_often_it_comes(host: str) -> None:
    told = [GUARD.refusal([(b"host", host.encode())]) for _ in range(3)]

    assert told == [None, None, None]


@pytest.mark.parametrize(
    "host",
    [
        *("", "evil.example", "evil.example:20128", "127.0.0.1.evil.example", "localhost.", "::1"),
        *("localhost:", "localhost:123456", "localhost:1x", "localhost:1:2", "localhost@evil"),
        *(
            "evil@localhost",
            "localhost/x",
            "localhost#x",
            "localhost ",
            " localhost",
            "[::1",
            "::1]",
        ),
        *("[::1]x", "[::1]:", "[::2]", "[localhost]", "localhost,evil", "localhost\\x", "[::1]]"),
    ],
)
def test_any_other_host_is_refused_however_often_it_comes(host: str) -> None:
    told = [GUARD.refusal([(b"host", host.encode())]) for _ in range(3)]

    assert [one and one[0] for one in told] == [421, 421, 421]
    assert told[0] is not None
    assert f"host {host!r}" in told[0][1]
    assert "--allowed-host" in told[0][1]


@pytest.mark.parametrize(
    "origin",
    [
        *("https://good.example", "HTTPS://GOOD.example", "vscode://one"),
        *(
            "http://localhost",
            "https://localhost:3000",
            "http://[::1]:1",
            "https://gateway.example",
        ),
    ],
)
def test_a_page_of_ours_or_of_an_allowed_origin_may_ask(origin: str) -> None:
    assert GUARD.refusal([(b"host", b"localhost"), (b"origin", origin.encode())]) is None


@pytest.mark.parametrize(
    "origin",
    [
        *(
            "",
            "null",
            "localhost",
            "://localhost",
            "https:localhost",
            "https://",
            "file://localhost",
        ),
        *(
            "https://good.example:444",
            "http://good.example",
            "https://evil.example",
            "vscode://two",
        ),
        *("https://localhost/x", "https://localhost://", "ftp://127.0.0.1", "good.example"),
    ],
)
def test_a_page_of_any_other_origin_may_not(origin: str) -> None:
    told = GUARD.refusal([(b"host", b"localhost"), (b"origin", origin.encode())])

    assert told is not None
    assert told[0] == 403
    assert f"origin {origin!r}" in told[1]
    assert "--allowed-origin" in told[1]


def test_every_host_and_origin_of_a_request_has_to_be_allowed() -> None:
    good, bad = (b"host", b"localhost"), (b"host", b"evil.example")
    ours, others = (b"origin", b"http://localhost"), (b"origin", b"http://evil.example")

    statuses = [
        told and told[0]
        for told in (
            GUARD.refusal([(b"accept", b"*/*"), good, (b"x-host", b"evil.example")]),
            GUARD.refusal([good, bad]),
            GUARD.refusal([good, ours, others]),
            GUARD.refusal([others, bad]),
            GUARD.refusal([]),
        )
    ]

    assert statuses == [None, 421, 403, 403, None]


def test_a_guard_without_origins_lets_pages_of_its_own_hosts_ask() -> None:
    guard = Guard(hosts=("127.0.0.1",))

    assert guard.refusal([(b"origin", b"http://127.0.0.1:20128")]) is None
    assert guard.refusal([(b"origin", b"https://good.example")]) is not None


def test_more_hosts_than_are_remembered_are_judged_like_the_first() -> None:
    guard = Guard(hosts=("localhost",))
    strangers = [[(b"host", b"localhost.%d" % number)] for number in range(300)]
    ours = [[(b"host", b"localhost:%d" % number)] for number in range(300)]

    told = [[guard.refusal(one) is None for one in [*strangers, *ours]] for _ in range(2)]

    assert told == [[False] * 300 + [True] * 300] * 2


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (b"a.example:1", b"a.example"),
        (b"a.example", b"a.example"),
        (b"[::1]:20128", b"::1"),
        (b"[::1]", b"::1"),
        (b"", b""),
    ],
)
def test_the_name_of_a_host_has_no_port_and_no_brackets(value: bytes, name: bytes) -> None:
    assert host_name(value) == name
