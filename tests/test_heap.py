"""What requests have used of the memory is there for the next ones."""

import platform
import subprocess
import sys

import pytest

ROUNDS = 200
PROMPTS = """
import resource
from omniroute.server.heap import keep_freed_memory

keep_freed_memory()
for number in range(2):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range({rounds}):
        [bytes(500_000) for _ in range(4)]
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has these bounds")
def test_the_room_of_a_large_prompt_is_not_asked_of_the_kernel_again() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROMPTS.format(rounds=ROUNDS)],
        check=True,
        capture_output=True,
        text=True,
    )

    assert int(done.stdout) < ROUNDS
