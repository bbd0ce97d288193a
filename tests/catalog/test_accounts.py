"""Accounts as people enter them."""

import contextlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute.routing.errors import BadRequest
from omniroute.server.accounts import AccountEntry, make_account

KEY = "sk-fake-0123456789"
OWN = ("http://127.0.0.1:20128", "https://gateway.example.com")
MINE = AccountEntry("mycorp", "https://llm.mycorp.example/v1", "openai_chat", KEY)


def test_a_known_provider_needs_only_its_key() -> None:
    account = make_account(AccountEntry("google", key=f" {KEY}\n"))

    assert account.provider == "gemini"
    assert account.dialect == "gemini"
    assert account.base_url == "https://generativelanguage.googleapis.com/v1beta"
    assert account.credential == KEY
    assert account.source == "database"
    assert not account.local
    assert account.account_id.startswith("acc_")


def test_an_endpoint_of_the_users_own_may_need_no_key() -> None:
    account = make_account(replace(MINE, key=None, models=("a", "b", "a")), account_id="mine")

    assert account.provider == "mycorp"
    assert account.credential is None
    assert account.models == ("a", "b")
    assert account.account_id == "mine"


@pytest.mark.parametrize(
    ("base_url", "dialect", "expected"),
    [
        ("https://x.example/v1/", "openai_chat", "https://x.example/v1"),
        ("https://x.example/v1/chat/completions", "openai_chat", "https://x.example/v1"),
        ("https://x.example", "openai_chat", "https://x.example"),
        ("https://x.example/api/anthropic", "anthropic", "https://x.example/api/anthropic/v1"),
        ("https://x.example/v1/messages", "anthropic", "https://x.example/v1"),
        ("https://x.example", "gemini", "https://x.example/v1beta"),
        ("https://x.example/v1/models", "gemini", "https://x.example/v1"),
    ],
)
def test_a_base_url_ends_where_the_dialects_own_path_begins(
    base_url: str, dialect: str, expected: str
) -> None:
    account = make_account(replace(MINE, base_url=base_url, dialect=dialect))

    assert account.base_url == expected


@pytest.mark.parametrize(
    "name",
    ["key", "api-key", "apikey", "API_KEY", "access_token", "token", "client_secret", "x-api-key"],
)
def test_a_key_in_the_query_of_a_base_url_is_refused_and_not_repeated(name: str) -> None:
    url = f"https://x.example/v1?api-version=1&{name}=sk-fake-in-the-query"

    with pytest.raises(BadRequest, match="give that to the account") as refused:
        make_account(replace(MINE, base_url=url))

    assert refused.value.field == "base_url"
    assert "sk-fake" not in str(refused.value)


@pytest.mark.parametrize("query", ["api-version=2024-10-21", "monkey=1", "max_tokens=5", "key="])
def test_what_is_no_key_stays_in_the_query(query: str) -> None:
    account = make_account(replace(MINE, base_url=f"https://x.example/v1?{query}"))

    assert account.base_url == f"https://x.example/v1?{query}"


@pytest.mark.parametrize(
    ("base_url", "local"),
    [
        ("http://127.0.0.1:8000/v1", True),
        ("http://localhost:8000/v1", True),
        ("http://192.168.1.5:8000/v1", True),
        ("https://x.example/v1", False),
        ("https://8.8.8.8/v1", False),
    ],
)
def test_an_address_tells_whether_the_server_is_local(base_url: str, local: bool) -> None:
    assert make_account(replace(MINE, base_url=base_url)).local is local


def test_a_local_provider_elsewhere_is_still_the_users_own() -> None:
    account = make_account(AccountEntry("ollama", base_url="http://box.example:11434"))

    assert account.local
    assert account.base_url == "http://box.example:11434/v1"


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        (replace(MINE, provider=""), "provider"),
        (replace(MINE, provider="my corp"), "provider"),
        (replace(MINE, provider="a/b"), "provider"),
        (replace(MINE, provider="sim"), "provider"),
        (replace(MINE, provider="auto"), "provider"),
        (replace(MINE, provider="combo"), "provider"),
        (replace(MINE, dialect=None), "dialect"),
        (replace(MINE, dialect="telepathy"), "dialect"),
        (replace(MINE, base_url=None), "base_url"),
        (replace(MINE, base_url="ftp://x.example"), "base_url"),
        (replace(MINE, base_url="https://user:pw@x.example"), "base_url"),
        (replace(MINE, base_url="https://x.example/#a"), "base_url"),
        (replace(MINE, base_url="https://x.example/" + "a" * 2000), "base_url"),
        (replace(MINE, base_url="http://localhost:20128/v1"), "base_url"),
        (replace(MINE, base_url="https://gateway.example.com/v1"), "base_url"),
        (AccountEntry("openai"), "key"),
        (replace(MINE, key="two words"), "key"),
        (replace(MINE, key="sk-\u2603-0123456789"), "key"),
        (replace(MINE, key="x" * 4097), "key"),
        (replace(MINE, name="Not A Name"), "name"),
        (replace(MINE, models=("",)), "models[0]"),
        (replace(MINE, models=("m",) * 1001), "models"),
        (replace(MINE, headers=(("x-a", "1\r\nx-b: 2"),)), "headers"),
        (replace(MINE, headers=(("host", "x"),)), "headers"),
        (replace(MINE, headers=(("x", "1"),) * 33), "headers"),
        (replace(MINE, proxy="proxy.example:3128"), "proxy"),
        (replace(MINE, proxy=f"http://someone:{KEY} @proxy.example"), "proxy"),
        (replace(MINE, proxy=f"https://proxy.example/{KEY}"), "proxy"),
        (replace(MINE, proxy="http://localhost:20128"), "proxy"),
        (replace(MINE, base_url="http://10.0.0.5/v1", http2=True), "http2"),
    ],
)
def test_what_is_wrong_with_an_entry_is_told_by_its_field(wrong: AccountEntry, field: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        make_account(wrong, own_urls=OWN)

    assert refusal.value.field == field
    assert KEY not in str(refusal.value)


def test_an_entry_does_not_show_its_secrets() -> None:
    entry = replace(
        MINE, headers=(("x-secret", "hush-hush-hush"),), proxy="http://a:hush@proxy.example"
    )

    assert KEY not in repr(entry)
    assert "hush" not in repr(entry)
    assert KEY not in repr(make_account(entry))
    assert "hush" not in repr(make_account(entry))


@given(
    provider=st.text(max_size=10),
    base_url=st.one_of(st.none(), st.text(max_size=40), st.just("https://x.example/v1")),
    key=st.one_of(st.none(), st.text(max_size=20)),
    headers=st.lists(st.tuples(st.text(max_size=8), st.text(max_size=8)), max_size=3),
)
def test_any_entry_is_taken_or_refused(
    provider: str, base_url: str | None, key: str | None, headers: list[tuple[str, str]]
) -> None:
    entry = AccountEntry(provider, base_url, "openai_chat", key, headers=tuple(headers))

    with contextlib.suppress(BadRequest):
        account = make_account(entry)

        assert account.base_url.startswith("http")
        assert account.credential != ""
