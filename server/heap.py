"""The memory that requests use stays with the process, as the next request uses it again.

A large prompt is several buffers of half a megabyte. The C library takes such room from the
kernel and gives it back with each request: half of what the gateway then pays is for pages that
are mapped, filled with zeros and thrown away. So it is told to keep what is free, up to a bound.
"""

import ctypes
import sys
from typing import Any

KEPT_BYTES_MAX = 8 * 2**20
"""Free memory at the end of the heap that is not given back."""

MAPPED_BYTES = 2**20
"""Longer buffers are few: they are mapped each by itself, and given back at once."""

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""The numbers of the two parameters (mallopt(3), glibc)."""


def keep_freed_memory() -> None:
    """Bound what is given back to the kernel; only glibc has such bounds, and needs them."""
    set_parameter = _of_the_library("mallopt")
    if set_parameter is not None:
        set_parameter(_TRIM_THRESHOLD, KEPT_BYTES_MAX)
        set_parameter(_MMAP_THRESHOLD, MAPPED_BYTES)


def give_back_freed_memory() -> None:
    """Give all that is free back to the kernel (malloc_trim(3), glibc). It may take a while."""
    trim = _of_the_library("malloc_trim")
    if trim is not None:
        trim(0)


def _of_the_library(name: str) -> Any:
    if not sys.platform.startswith("linux"):
        return None
    return getattr(ctypes.CDLL(None), name, None)
