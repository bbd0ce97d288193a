"""Vendors whose addresses and credentials are not those of their dialect: Azure."""

import dataclasses
import json

import pytest
from msgspec import structs

from omniroute.routing.model import Account
from omniroute.routing.upstream.auth import account_headers
from omniroute.server.accounts import AccountEntry, make_account
from omniroute.server.discovery import accounts_from_environment

from .servers import Exchange, ask, call_to, serving, upstream, whole

KEY = "fake-azure-key-0123456789"
TOKEN = "eyJhbGciOiJub25lIn0.eyJmYWtlIjp0cnVlfQ.c2lnbmF0dXJl"


async def answer(exchange: Exchange) -> None:
    await exchange.send(whole())


@pytest.mark.parametrize(
    ("environ", "url"),
    [
        ({"AZURE_RESOURCE_NAME": "acme"}, "https://acme.openai.azure.com/openai/v1"),
        (
            {"AZURE_OPENAI_ENDPOINT": "https://acme.openai.azure.com/"},
            "https://acme.openai.azure.com/openai/v1",
        ),
        (
            {"AZURE_OPENAI_ENDPOINT": "https://acme.openai.azure.com/openai/v1/"},
            "https://acme.openai.azure.com/openai/v1",
        ),
    ],
)
def test_azures_own_variables_make_an_account(environ: dict[str, str], url: str) -> None:
    (account,), notes = accounts_from_environment({"AZURE_OPENAI_API_KEY": KEY, **environ})

    assert (account.provider, account.base_url) == ("azure-openai", url)
    assert dict(account_headers(account))["api-key"] == KEY
    assert notes == ()


def test_an_azure_key_without_its_resource_is_noted() -> None:
    accounts, notes = accounts_from_environment({"AZURE_OPENAI_API_KEY": KEY})

    assert accounts == ()
    assert "AZURE_RESOURCE_NAME is needed" in notes[0].message


def test_a_token_of_entra_is_a_bearer_and_a_key_is_not() -> None:
    url = "https://acme.openai.azure.com/openai/v1"

    by_token = make_account(AccountEntry("azure", base_url=url, key=TOKEN))
    by_key = make_account(AccountEntry("azure", base_url=url, key=KEY))

    assert dict(account_headers(by_token))["authorization"] == f"Bearer {TOKEN}"
    assert "api-key" not in dict(account_headers(by_token))
    assert "authorization" not in dict(account_headers(by_key))


@pytest.mark.anyio
async def test_a_deployment_is_named_in_the_path_with_the_dated_version() -> None:
    async with serving(answer) as server, upstream() as made:
        root = server.url.removesuffix("/v1")
        url = f"{root}/openai/deployments/{{model}}?api-version=2024-10-21"
        account = make_account(AccountEntry("azure", base_url=url, key=KEY))
        call = structs.replace(call_to(server.url, model="my gpt/4"), account=account)

        await ask(made, call)

        (request,) = server.requests
        assert request.head.split(b" ")[1] == (
            b"/openai/deployments/my%20gpt%2F4/chat/completions?api-version=2024-10-21"
        )
        assert request.header(b"api-key") == KEY.encode()
        assert json.loads(request.body)["messages"]


@pytest.mark.anyio
async def test_a_place_for_the_model_works_at_an_endpoint_of_ones_own() -> None:
    async with serving(answer) as server, upstream() as made:
        call = call_to(server.url)
        base = f"{server.url}/serve/{{model}}/invocations"
        call = structs.replace(call, account=dataclasses.replace(call.account, base_url=base))

        await ask(made, call)

        assert server.requests[0].head.split(b" ")[1] == (
            b"/v1/serve/fast/invocations/chat/completions"
        )


def test_an_address_with_a_place_for_the_model_is_kept_as_it_was_given() -> None:
    url = "https://acme.openai.azure.com/openai/deployments/{model}?api-version=2024-10-21"

    account = make_account(AccountEntry("azure", base_url=url, key=KEY))

    assert account == Account(
        account.account_id, "azure-openai", "openai_chat", url, KEY, source="database"
    )
