"""Databases for the tests of workers."""

from tests.services import postgres, postgres_url

__all__ = ["postgres", "postgres_url"]
