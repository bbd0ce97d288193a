"""The table of checkpoints, declared; see tables.py for what such a declaration is for."""

from sqlalchemy import BigInteger, LargeBinary, PrimaryKeyConstraint, Text
from sqlmodel import Field

from .table import Table


class CheckpointRow(Table, table=True):
    """The last of the rows that were removed at the beginning of a hash chain, signed."""

    __tablename__ = "checkpoints"
    __table_args__ = (PrimaryKeyConstraint("chain_id", "kind"),)

    chain_id: str = Field(sa_type=Text)
    kind: str = Field(sa_type=Text)
    mac_key_id: str = Field(sa_type=Text)
    seq: int = Field(sa_type=BigInteger)
    mac: bytes = Field(sa_type=LargeBinary)
    signature: bytes = Field(sa_type=LargeBinary)
