"""A headless Chromium of our own: installed from its lock, unpacked once, started in 0.2 s.

A fresh machine has no browser and nothing may be installed as root, so it comes from npm:
@sparticuz/chromium carries one, packed with brotli, with the libraries and a font that a bare
machine lacks. Nothing of the machine's own fonts is looked at: a picture is the same everywhere.

It is spoken to through two pipes, not through a port: nobody else reaches it, and it ends
when the process that started it does, however that ends.

Source: github.com/Sparticuz/chromium (README) and the switches of Chromium itself, read on
2026-11-23.
"""

import fcntl
import hashlib
import io
import os
import platform
import shutil
import signal
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import brotli  # type: ignore[import-untyped]

from tests import foreign
from tests.browser.pipe import Pipe
from tests.coding_clients.install import installed

ENVIRONMENT = "chromium"
STOP_S_MAX = 20.0
PIECE_BYTES = 1_000_000
ABOVE = 10
"""Descriptors of ours stand above those that the browser is given its pipes at: 3 and 4."""
SWITCHES = (
    "--headless",
    "--remote-debugging-pipe",
    "--no-sandbox",
    "--no-first-run",
    "--disable-gpu",
    # A container's /dev/shm may hold no more than one picture.
    "--disable-dev-shm-usage",
    # Nothing that it does by itself reaches out, and no name but the loopback's leads anywhere.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-domain-reliability",
    "--disable-sync",
    "--disable-quic",
    "--no-pings",
    "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
    # A page that no window shows runs at full speed, and letters stand where they stand elsewhere.
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
    "--disable-backgrounding-occluded-windows",
    "--font-render-hinting=none",
    "--force-color-profile=srgb",
    "--hide-scrollbars",
)
FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>{folder}/fonts</dir><cachedir>{folder}/cache</cachedir></fontconfig>
"""


def runs_here() -> bool:
    """Whether the browser of the environment is made for this machine."""
    return (platform.system(), platform.machine()) == ("Linux", "x86_64")


def axe() -> Path:
    """Give the script of the accessibility checker, installed now if it is missing."""
    return _packages() / "axe-core" / "axe.min.js"


def unpacked() -> Path:
    """Give the folder with the program `chromium` and what it needs, unpacked now if missing."""
    lock = foreign.FOLDER / ENVIRONMENT / "package-lock.json"
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()[:16]

    def unpack(folder: Path) -> None:
        packed = _packages() / "@sparticuz" / "chromium" / "bin"
        folder.mkdir()
        _unpack_program(packed / "chromium.br", folder / "chromium")
        for name in ("al2023", "fonts"):
            content = brotli.decompress((packed / f"{name}.tar.br").read_bytes())
            with tarfile.open(fileobj=io.BytesIO(content)) as archive:
                archive.extractall(folder, filter="data")
        (folder / "fonts.conf").write_text(FONTS.format(folder=folder))

    return foreign.made_once(f"{ENVIRONMENT}-unpacked-{digest}", unpack)


@contextmanager
def started() -> Iterator[Pipe]:
    """Run a browser with a profile of its own and give the pipe that it listens at."""
    folder = unpacked()
    profile = Path(tempfile.mkdtemp(prefix="chromium-"))
    try:
        process, pipe = _spawn(folder, profile)
        try:
            yield pipe
        finally:
            pipe.close()
            _end(process)
    finally:
        # The browser's own children may still write while they end.
        shutil.rmtree(profile, ignore_errors=True)


def _packages() -> Path:
    return installed(ENVIRONMENT, foreign.FOLDER) / "node_modules"


def _unpack_program(packed: Path, program: Path) -> None:
    decompressor = brotli.Decompressor()
    with packed.open("rb") as source, program.open("wb") as target:
        while piece := source.read(PIECE_BYTES):
            target.write(decompressor.process(piece))
    assert decompressor.is_finished()
    program.chmod(0o755)


def _spawn(folder: Path, profile: Path) -> tuple[int, Pipe]:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(profile),
        "TMPDIR": str(profile),
        "LANG": "C.UTF-8",
        "LD_LIBRARY_PATH": str(folder / "lib"),
        "FONTCONFIG_FILE": str(folder / "fonts.conf"),
    }
    commands_out, commands_in = _pipe()
    answers_out, answers_in = _pipe()
    program = str(folder / "chromium")
    process = os.posix_spawn(
        program,
        [program, *SWITCHES, f"--user-data-dir={profile}", "about:blank"],
        environment,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_DUP2, commands_out, 3),
            (os.POSIX_SPAWN_DUP2, answers_in, 4),
        ],
        setpgroup=0,
    )
    os.close(commands_out)
    os.close(answers_in)
    return process, Pipe(reads=answers_out, writes=commands_in)


def _pipe() -> tuple[int, int]:
    moved = []
    for end in os.pipe():
        moved.append(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, ABOVE))
        os.close(end)
    return moved[0], moved[1]


def _end(process: int) -> None:
    """Wait until the browser has seen that its pipe is closed; end what does not."""
    until = time.monotonic() + STOP_S_MAX
    while os.waitpid(process, os.WNOHANG) == (0, 0):
        if time.monotonic() > until:
            os.killpg(process, signal.SIGKILL)
            os.waitpid(process, 0)
            break
        time.sleep(0.01)
    # A child that outlives the browser would keep its group.
    with suppress(ProcessLookupError):
        os.killpg(process, signal.SIGKILL)
