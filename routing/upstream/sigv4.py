"""Requests signed with the keys of an AWS account (Signature Version 4).

For Bedrock by keys of IAM. An API key of Bedrock needs none of it: it goes out as a bearer.

Source: AWS IAM User Guide, "Create a signed AWS API request", and the aws-sig-v4-test-suite that
AWS publishes (both read 2026-11). That Bedrock's newer endpoint signs for a service of its own
name: AWS's managed policy AmazonBedrockMantleInferenceAccess, and BerriAI/litellm#31475.
"""

import hashlib
import hmac
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote

from ..catalog.providers import provider_named
from ..errors import UpstreamFailure
from ..model import Account

ALGORITHM = "AWS4-HMAC-SHA256"
MANTLE = "bedrock-mantle"

_KEYS = re.compile(r"(A[KS]IA[A-Z0-9]{12,28}):([A-Za-z0-9/+=]{16,128})(?::([A-Za-z0-9/+=]{16,}))?")
_HOST = re.compile(r"(bedrock[a-z-]*)\.([a-z0-9-]+)\.(?:api\.aws|amazonaws\.com(?:\.cn)?)")


@dataclass(frozen=True, slots=True)
class AwsKeys:
    """Keys of IAM, of a user or (with a session token) of a role."""

    access_key_id: str
    secret: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Scope:
    """What a signature is good for, beside its day."""

    region: str
    service: str


def aws_keys(account: Account) -> AwsKeys | None:
    """Give the keys in an account's credential, `ID:SECRET` or `ID:SECRET:SESSION_TOKEN`.

    None where it is an API key, or the provider is none of AWS's.
    """
    row = provider_named(account.provider)
    if row is None or row.auth != "aws":
        return None
    found = _KEYS.fullmatch(account.credential or "")
    return None if found is None else AwsKeys(found[1], found[2], found[3])


def scope_of(host: str) -> Scope:
    """Give the scope for a host of Bedrock's.

    Raises:
        UpstreamFailure: kind "auth": the host names no region.
    """
    found = _HOST.fullmatch(host)
    if found is None:
        raise UpstreamFailure(
            f"requests to {host!r} cannot be signed: it names no region, as "
            "bedrock-mantle.us-east-1.api.aws does; use an API key of Bedrock there",
            kind="auth",
        )
    return Scope(found[2], MANTLE if found[1] == MANTLE else "bedrock")


def with_signature(
    head: bytes, body: bytes, keys: AwsKeys, host: str, *, at_unix_s: float
) -> bytes:
    """Give the head of a request with the signature of it and its body.

    Args:
        head: with the empty line that ends it.
        body: as it is sent.
        keys: whose.
        host: as the head's own line says it.
        at_unix_s: the wall clock's time; AWS takes five minutes to either side.
    """
    method, target, _ = head.split(b" ", 2)
    lines = signed(
        Asked(method.decode(), target.decode(), (("host", host),), body),
        keys,
        scope_of(host.partition(":")[0]),
        at_unix_s=at_unix_s,
    )
    written = "".join(f"{name}: {value}\r\n" for name, value in lines)
    return b"%b%b\r\n" % (head[:-2], written.encode())


@dataclass(frozen=True, slots=True)
class Asked:
    """What is signed. `target` is the path as it goes over the wire, with its query."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""


def signed(
    asked: Asked, keys: AwsKeys, scope: Scope, *, at_unix_s: float
) -> Sequence[tuple[str, str]]:
    """Give the headers that prove a request."""
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(at_unix_s))
    added = [("x-amz-date", moment)]
    if keys.session_token is not None:
        added.append(("x-amz-security-token", keys.session_token))
    headers = sorted((name.lower(), " ".join(value.split())) for name, value in asked.headers)
    headers = sorted([*headers, *added])
    names = ";".join(name for name, _ in headers)
    path, _, query = asked.target.partition("?")
    canonical = "\n".join(
        (
            asked.method,
            quote(path, safe="/-_.~"),
            _query(query),
            *(f"{name}:{value}" for name, value in headers),
            "",
            names,
            hashlib.sha256(asked.body).hexdigest(),
        )
    )
    day = moment[:8]
    place = f"{day}/{scope.region}/{scope.service}/aws4_request"
    wanted = f"{ALGORITHM}\n{moment}\n{place}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{keys.secret}".encode()
    for part in place.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, wanted.encode(), "sha256").hex()
    proof = (
        f"{ALGORITHM} Credential={keys.access_key_id}/{place}, SignedHeaders={names}, "
        f"Signature={signature}"
    )
    return (*added, ("authorization", proof))


def _query(query: str) -> str:
    pairs = parse_qsl(query, keep_blank_values=True)
    written = sorted((quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in pairs)
    return "&".join(f"{name}={value}" for name, value in written)
