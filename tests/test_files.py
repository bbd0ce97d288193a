"""A gateway that may open few files: who comes too late is told, and nothing else goes wrong."""

import socket
from pathlib import Path

from tests.processes import OMNIROUTE, gateway

FILES = 256
MORE = 150
WAIT_S = 60.0
FEW_FILES = ("sh", "-c", f'ulimit -n {FILES}; exec "$@"', "sh", *OMNIROUTE)
CHAT = {
    "model": "sim/fast@latency=0",
    "messages": [{"role": "user", "content": "hello"}],
}


def test_where_few_files_may_be_open_too_many_connections_are_turned_away(tmp_path: Path) -> None:
    with gateway(tmp_path, program=FEW_FILES) as running:
        address = ("127.0.0.1", running.port)
        many = [socket.create_connection(address, WAIT_S) for _ in range(MORE)]
        heard = [one.recv(1000) for one in many]
        for one in many:
            one.close()
        answer = running.call("POST", "/v1/chat/completions", CHAT)
        key = running.new_key()

    # Those that were let in said nothing: they were told so at the deadline of their heads.
    turned_away = [one for one in heard if one.startswith(b"HTTP/1.1 503 ")]
    let_in = [one for one in heard if one.startswith(b"HTTP/1.1 408 ")]
    assert len(turned_away) >= MORE - FILES // 2
    assert len(let_in) >= 16
    assert len(turned_away) + len(let_in) == MORE
    assert all(b"too_many_connections" in one for one in turned_away)
    assert answer.status == 200
    assert key.startswith("sk-")
