"""An authority of the tests' own: it makes the certificates that servers show."""

import datetime
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from omniroute.routing.upstream.tls import verifying_context

NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Authority:
    """An authority of our own, and the certificates that it makes."""

    folder: Path
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    def trusted(self, *protocols: str) -> ssl.SSLContext:
        context = verifying_context(*protocols)
        context.load_verify_locations(
            cadata=self.certificate.public_bytes(serialization.Encoding.PEM).decode()
        )
        return context

    def pem(self) -> Path:
        """Give a file with the authority's certificate."""
        path = self.folder / "authority.pem"
        path.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        return path

    def server(self, name: str, *, days: int = 1, own: bool = False) -> ssl.SSLContext:
        """Give a server's context; with `own` it signs its certificate itself."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.server_pem(name, days=days, own=own))
        return context

    def server_pem(self, name: str, *, days: int = 1, own: bool = False) -> Path:
        """Give a file with a server's key and certificate."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _name(name)
        unsigned = _certificate(subject, key, days=days).add_extension(
            _alternative(name), critical=False
        )
        issuer = subject if own else self.certificate.subject
        certificate = _signed(unsigned.issuer_name(issuer), key if own else self.key)
        path = self.folder / "server.pem"
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        return path


def authority_in(folder: Path) -> Authority:
    """Make an authority that keeps its files in a folder."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("An authority of the tests")
    unsigned = _certificate(name, key, days=1, authority=True).issuer_name(name)
    return Authority(folder, key, _signed(unsigned, key))


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _certificate(
    subject: x509.Name, key: ec.EllipticCurvePrivateKey, *, days: int, authority: bool = False
) -> x509.CertificateBuilder:
    public = key.public_key()
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - 3 * DAY)
        .not_valid_after(NOW + days * DAY)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _signed(
    unsigned: x509.CertificateBuilder, signer: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    return unsigned.add_extension(identifier, critical=False).sign(signer, hashes.SHA256())


def _alternative(name: str) -> x509.SubjectAlternativeName:
    try:
        return x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(name))])
    except ValueError:
        return x509.SubjectAlternativeName([x509.DNSName(name)])
