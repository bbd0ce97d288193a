"""The finder finds: whatever form a secret has taken, and nothing where there is none."""

import base64
import json
import urllib.parse

import pytest

from .secrets import canary, found_in

KEY = "sk-omni-abcdefgh2345-" + "A-z_0" * 8 + "xyz"


@pytest.mark.parametrize("before", ["", "x", "xy", "xyz"])
@pytest.mark.parametrize("after", ["", "q", "qr", "qrs"])
def test_a_secret_is_found_in_base64_wherever_it_stands(before: str, after: str) -> None:
    text = f"{before}{canary('test')}{after}".encode()

    assert found_in(base64.b64encode(text))
    assert found_in(base64.urlsafe_b64encode(text))


@pytest.mark.parametrize(
    "written",
    [
        str,
        str.upper,
        str.lower,
        lambda text: text[::-1],
        urllib.parse.quote,
        lambda text: "".join(f"%{ord(one):02X}" for one in text),
        lambda text: "".join(f"\\u{ord(one):04x}" for one in text),
        lambda text: json.dumps({"a": [text]}),
        lambda text: text.encode().hex(),
        lambda text: text.encode("utf-16-le").decode("latin-1"),
        lambda text: repr(text.encode()),
    ],
)
def test_a_secret_is_found_however_it_is_written(written) -> None:  # type: ignore[no-untyped-def]
    assert found_in(f"some words {written(canary('test'))} and more".encode("latin-1"))


def test_a_key_of_the_gateways_is_found_by_its_shape() -> None:
    assert found_in(f"key={KEY}&x".encode())
    assert found_in(KEY[:-3].encode()) == []


def test_nothing_is_found_where_nothing_is() -> None:
    assert found_in(bytes(range(256)) * 100) == []
    assert len({canary("test") for _ in range(1000)}) == 1000
