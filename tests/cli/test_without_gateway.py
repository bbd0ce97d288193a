"""Commands on a data folder that no gateway serves: they see what a gateway would."""

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.processes import plain_environment, run_command

MODELS = json.dumps({"data": [{"id": "qwen3:8b", "owned_by": "library"}]}).encode()


class Listing(BaseHTTPRequestHandler):
    """A model server that lists its models and logs nothing."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-length", str(len(MODELS)))
        self.end_headers()
        self.wfile.write(MODELS)

    def log_message(self, *args: object) -> None:
        return


@pytest.fixture
def ollama() -> Iterator[str]:
    """The host and port of a local model server."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Listing) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_local_model_server_is_found_without_a_gateway(tmp_path: Path, ollama: str) -> None:
    environment = plain_environment(tmp_path, OLLAMA_HOST=ollama)

    listed = run_command("providers", "list", "--json", environment=environment)

    found = [one for one in json.loads(listed.stdout)["providers"] if one["source"] == "probe"]
    assert [one["base_url"] for one in found] == [f"http://{ollama}/v1"]


def test_doctor_names_a_stored_combo_that_cannot_be_used(tmp_path: Path) -> None:
    environment = plain_environment(tmp_path)
    run_command("combos", "add", "mine", "sim/fast", environment=environment)
    with closing(sqlite3.connect(tmp_path / "data" / "storage.sqlite")) as database, database:
        database.execute("UPDATE combos SET strategy = 'fastest' WHERE name = 'mine'")

    done = run_command("doctor", "--json", environment=environment)

    errors = [one for one in json.loads(done.stdout)["findings"] if one["level"] == "error"]
    assert done.returncode == 1
    assert ["combo 'mine' cannot be used" in one["what"] for one in errors] == [True]
