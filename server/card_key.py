"""The private key that agent cards are signed with, from the PEM file that a setting names.

The key's type says the algorithm: P-256 is ES256, P-384 is ES384, Ed25519 is EdDSA, RSA is
RS256. Its id is its RFC 7638 thumbprint, so that the same key has the same id everywhere.
`cryptography` is imported when there is a key.
"""

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from .settings import SettingsError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

RSA_BITS_MIN = 2048
VARIABLE = "OMNIROUTE_A2A_CARD_KEY"


@dataclass(frozen=True, slots=True, eq=False)
class CardKey:
    """A key at work. Fulfils the agent's port Signer."""

    algorithm: str
    key_id: str
    public_key: Mapping[str, object]
    sign: Callable[[bytes], bytes] = field(repr=False)


def open_card_key(path: Path) -> CardKey:
    """Read a private key.

    Raises:
        SettingsError: the file cannot be read, or holds no key that cards can be signed with.
    """
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - see above
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa  # noqa: PLC0415

    try:
        key = serialization.load_pem_private_key(path.read_bytes(), None)
    except OSError as error:
        raise SettingsError(f"{VARIABLE}: cannot read {path}: {error.strerror}") from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _unusable(path) from error
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return _elliptic(key, path)
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return _edwards(key)
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size >= RSA_BITS_MIN:
        return _rsa(key)
    raise _unusable(path)


def _elliptic(key: "ec.EllipticCurvePrivateKey", path: Path) -> CardKey:
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415 - see above
    from cryptography.hazmat.primitives.asymmetric import ec, utils  # noqa: PLC0415

    known = {
        "secp256r1": ("ES256", "P-256", hashes.SHA256(), 32),
        "secp384r1": ("ES384", "P-384", hashes.SHA384(), 48),
    }
    if key.curve.name not in known:
        raise _unusable(path)
    algorithm, curve, digest, size = known[key.curve.name]
    # The same card has the same signature in every worker, and with it the same tag.
    scheme = ec.ECDSA(digest, deterministic_signing=True)

    def sign(data: bytes) -> bytes:
        r, s = utils.decode_dss_signature(key.sign(data, scheme))
        return r.to_bytes(size) + s.to_bytes(size)

    point = key.public_key().public_numbers()
    x, y = _text(point.x.to_bytes(size)), _text(point.y.to_bytes(size))
    return _made(algorithm, {"crv": curve, "kty": "EC", "x": x, "y": y}, sign)


def _edwards(key: "ed25519.Ed25519PrivateKey") -> CardKey:
    x = _text(key.public_key().public_bytes_raw())
    return _made("EdDSA", {"crv": "Ed25519", "kty": "OKP", "x": x}, key.sign)


def _rsa(key: "rsa.RSAPrivateKey") -> CardKey:
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415 - see above
    from cryptography.hazmat.primitives.asymmetric import padding  # noqa: PLC0415

    def sign(data: bytes) -> bytes:
        return key.sign(data, padding.PKCS1v15(), hashes.SHA256())

    public = key.public_key().public_numbers()
    e, n = (_text(one.to_bytes((one.bit_length() + 7) // 8)) for one in (public.e, public.n))
    return _made("RS256", {"e": e, "kty": "RSA", "n": n}, sign)


def _made(algorithm: str, required: Mapping[str, str], sign: Callable[[bytes], bytes]) -> CardKey:
    # Required members alone, sorted, without white space (RFC 7638, section 3).
    thumbprint = hashlib.sha256(orjson.dumps(required, option=orjson.OPT_SORT_KEYS)).digest()
    key_id = _text(thumbprint)
    public = {**required, "alg": algorithm, "kid": key_id, "use": "sig"}
    return CardKey(algorithm, key_id, public, sign)


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unusable(path: Path) -> SettingsError:
    return SettingsError(
        f"{VARIABLE}: {path} holds no private key that agent cards can be signed with; make one "
        f"with `openssl genpkey -algorithm ed25519 -out {path}`: P-256, P-384, Ed25519 or RSA of "
        f"{RSA_BITS_MIN} bits and more, in PEM and without a password"
    )
