"""Requests that keys of an AWS account sign: AWS's own test suite, and Bedrock over HTTP."""

import dataclasses
import re

import pytest
from msgspec import structs

from omniroute.routing.errors import UpstreamFailure
from omniroute.routing.upstream.auth import account_headers, secrets_of
from omniroute.routing.upstream.sigv4 import Asked, AwsKeys, Scope, scope_of, signed
from omniroute.server.accounts import AccountEntry, make_account
from omniroute.server.discovery import accounts_from_environment

from .servers import Exchange, ask, call_to, serving, upstream, whole

# What AWS publishes with the suite; the keys are its example keys and open nothing.
SUITE_KEYS = AwsKeys("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
SUITE_TOKEN = (
    "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxf"
    "pSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPky"
    "QDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+"
    "scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA=="
)
SUITE_SCOPE = Scope("us-east-1", "service")
SUITE_UNIX_S = 1_440_938_160.0  # 2015-08-30T12:36:00Z
HOST = ("Host", "example.amazonaws.com")
KEYS = "AKIAFAKEFAKEFAKEFAKE:fakefakefakefakefakefakefakefakefakefake"


async def answer(exchange: Exchange) -> None:
    await exchange.send(whole())


@pytest.mark.parametrize(
    ("asked", "signature"),
    [
        (
            Asked("GET", "/", (HOST,)),
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
        ),
        (
            Asked("POST", "/", (HOST,)),
            "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
        ),
        (
            Asked("GET", "/?Param2=value2&Param1=value1", (HOST,)),
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
        (
            Asked(
                "POST",
                "/",
                (HOST, ("Content-Type", "application/x-www-form-urlencoded")),
                b"Param1=value1",
            ),
            "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
        ),
        (
            Asked("GET", "/", (HOST, ("My-Header1", "value2,value2,value1"))),
            "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea",
        ),
        (
            Asked("GET", "/", (HOST, ("my-header1", "value1,value2,value3"))),
            "ba17b383a53190154eb5fa66a1b836cc297cc0a3d70a5d00705980573d8ff790",
        ),
    ],
    ids=["vanilla", "post", "query", "form", "duplicate-header", "multiline-header"],
)
def test_the_signatures_are_those_of_awss_own_suite(asked: Asked, signature: str) -> None:
    headers = dict(signed(asked, SUITE_KEYS, SUITE_SCOPE, at_unix_s=SUITE_UNIX_S))

    assert headers["x-amz-date"] == "20150830T123600Z"
    assert headers["authorization"].endswith(f", Signature={signature}")
    assert headers["authorization"].startswith(
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
    )


def test_a_roles_session_token_is_signed_with_the_rest_as_in_awss_own_suite() -> None:
    keys = dataclasses.replace(SUITE_KEYS, session_token=SUITE_TOKEN)

    headers = dict(signed(Asked("POST", "/", (HOST,)), keys, SUITE_SCOPE, at_unix_s=SUITE_UNIX_S))

    assert headers["x-amz-security-token"] == SUITE_TOKEN
    assert headers["authorization"].endswith(
        "SignedHeaders=host;x-amz-date;x-amz-security-token, "
        "Signature=85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead"
    )


@pytest.mark.parametrize(
    ("host", "region", "service"),
    [
        ("bedrock-mantle.eu-west-1.api.aws", "eu-west-1", "bedrock-mantle"),
        ("bedrock-runtime.us-gov-west-1.amazonaws.com", "us-gov-west-1", "bedrock"),
        ("bedrock-runtime.cn-north-1.amazonaws.com.cn", "cn-north-1", "bedrock"),
    ],
)
def test_region_and_service_are_told_by_the_host(host: str, region: str, service: str) -> None:
    assert scope_of(host) == Scope(region, service)


def test_a_host_without_a_region_cannot_be_signed_for() -> None:
    with pytest.raises(UpstreamFailure, match="names no region") as failure:
        scope_of("proxy.example")

    assert failure.value.kind == "auth"


def test_bedrocks_own_key_serves_both_of_its_dialects() -> None:
    accounts, notes = accounts_from_environment(
        {"AWS_BEARER_TOKEN_BEDROCK": "fake-bedrock-api-key", "AWS_REGION": "eu-west-1"}
    )

    assert [(one.provider, one.base_url) for one in accounts] == [
        ("bedrock", "https://bedrock-mantle.eu-west-1.api.aws/v1"),
        ("bedrock-anthropic", "https://bedrock-mantle.eu-west-1.api.aws/anthropic/v1"),
    ]
    assert all(
        dict(account_headers(one))["authorization"] == "Bearer fake-bedrock-api-key"
        for one in accounts
    )
    assert notes == ()


def test_the_secret_key_is_sent_nowhere_and_shown_nowhere() -> None:
    url = "https://bedrock-mantle.us-east-1.api.aws/v1"

    account = make_account(AccountEntry("bedrock", base_url=url, key=KEYS))

    assert "authorization" not in dict(account_headers(account))
    assert KEYS.partition(":")[2] in secrets_of(account)


@pytest.mark.anyio
async def test_a_request_to_bedrock_goes_out_with_its_signature() -> None:
    async def here(host: str, port: int) -> tuple[str, ...]:
        return ("127.0.0.1",)

    async with serving(answer) as server, upstream(resolve=here) as made:
        url = f"http://bedrock-mantle.us-east-1.api.aws:{server.port}/v1"
        account = make_account(AccountEntry("bedrock", base_url=url, key=KEYS, local=True))
        await ask(made, structs.replace(call_to(server.url), account=account))

        (request,) = server.requests
        proof = (request.header(b"authorization") or b"").decode()
        expected = dict(
            signed(
                Asked(
                    "POST",
                    "/v1/chat/completions",
                    (("host", f"bedrock-mantle.us-east-1.api.aws:{server.port}"),),
                    request.body,
                ),
                AwsKeys(*KEYS.split(":")),
                Scope("us-east-1", "bedrock-mantle"),
                at_unix_s=1_700_000_000.0,
            )
        )
        assert proof == expected["authorization"]
        assert re.search(r"/20231114/us-east-1/bedrock-mantle/aws4_request", proof)
        assert request.header(b"x-amz-date") == b"20231114T221320Z"
        assert KEYS.partition(":")[2].encode() not in request.head
