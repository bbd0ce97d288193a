"""Runs a coding client's program in a home of its own, and gives what it said."""

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

RUN_S_MAX = 100.0
PRINTED_CHARS_MAX = 4_000


@dataclass(frozen=True, slots=True)
class Folders:
    """Where a client's program finds what it needs.

    Attributes:
        node: of Node.js' programs.
        package: in which the client is installed.
        home: the user's, and the working directory.
    """

    node: Path
    package: Path
    home: Path

    def environment(self, given: Mapping[str, str]) -> dict[str, str]:
        """Give the client's whole environment: its programs, those of its home, and `given`."""
        packages = self.package / "node_modules"
        programs = [packages / ".bin", *packages.glob("*/bin"), *packages.glob("@*/*/bin")]
        places = [self.home / "bin", *programs, self.node, *os.environ["PATH"].split(":")]
        return {
            "PATH": ":".join(map(str, places)),
            "HOME": str(self.home),
            "LANG": os.environ.get("LANG", "C.UTF-8"),
            **given,
        }


def run(
    words: Sequence[str],
    folders: Folders,
    environment: Mapping[str, str],
    said: Callable[[str], str],
) -> dict[str, object]:
    """Run a client's command, at most RUN_S_MAX, and give what came of it.

    Args:
        said: finds the answer in what it printed.
    """
    began_s = time.monotonic()
    process = subprocess.Popen(
        words,
        cwd=folders.home,
        env=folders.environment(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        printed, complained = process.communicate(timeout=RUN_S_MAX)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        printed, complained = process.communicate()
    try:
        answer = said(printed)
    except (ValueError, KeyError, TypeError) as error:
        answer = f"{type(error).__name__}: {error}"
    return {
        "status": process.returncode,
        "said": answer,
        "took_s": round(time.monotonic() - began_s, 1),
        "printed": printed[-PRINTED_CHARS_MAX:],
        "complained": complained[-PRINTED_CHARS_MAX:],
    }
