"""Where the log goes and how it reads, for a process that serves."""

import logging
import sys

from .log_file import LogFile
from .log_lines import JsonFormatter, LineFormatter
from .settings import Settings

QUIET = (
    "alembic",
    "uvicorn",
    "mcp",
    "httpx",
    "httpx2",
    "httpcore",
    "hpack",
    "asyncio",
    "urllib3",
    "requests",
)
"""Libraries whose chatter is kept out of our log: they are heard from warnings on."""


def open_log(settings: Settings) -> None:
    """Log from now on as the settings say.

    Raises:
        OSError: the file cannot be written.
    """
    handler: logging.Handler
    if settings.log_file is None:
        handler = logging.StreamHandler(sys.stderr)
    else:
        handler = LogFile(settings.log_file, bytes_max=settings.log_file_bytes_max)
    handler.setFormatter(JsonFormatter() if settings.log_format == "json" else LineFormatter())
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler])
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
