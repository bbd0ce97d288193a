"""The tables of the key ring and of shared proxies; tables.py says what declarations are for."""

from sqlalchemy import Double, LargeBinary, Text
from sqlmodel import Field

from .table import Table


class RingKeyRow(Table, table=True):
    """A key of the ring, by its id. `secret` is what is kept of a retired one, sealed."""

    __tablename__ = "ring_keys"

    key_id: str = Field(primary_key=True, sa_type=Text)
    known_unix_s: float = Field(sa_type=Double)
    retired_unix_s: float | None = Field(sa_type=Double)
    secret: bytes | None = Field(sa_type=LargeBinary)


class SharedProxyRow(Table, table=True):
    """A proxy that accounts share: `place` is a provider's name, or *. `secret` is its URL."""

    __tablename__ = "shared_proxies"

    place: str = Field(primary_key=True, sa_type=Text)
    secret: bytes = Field(sa_type=LargeBinary)
    changed_unix_s: float = Field(sa_type=Double)
    changed_by: str = Field(sa_type=Text)
