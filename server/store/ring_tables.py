"""The table of the key ring, declared; see tables.py for what such a declaration is for."""

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
