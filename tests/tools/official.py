"""The official MCP programs of npm: where their lock is."""

from pathlib import Path

PACKAGES = Path(__file__).parent / "packages"
