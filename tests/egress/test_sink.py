"""Nothing that must not be reached is asked for, by the packets that the kernel was given.

Every way out of the gateway meets every spelling, names that change where they lead, and servers
that send it on, in a network of its own where each address answers and each packet is seen.
"""

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.test_house import ROOT

from .inside import OTHER_PUBLIC, PUBLIC
from .sink import COMMAND, SET_UP
from .spellings import spellings

pytestmark = pytest.mark.xdist_group("sink")

RUN_S_MAX = 300.0
ALLOWED = {PUBLIC, OTHER_PUBLIC}
WAYS_MIN = 25


@pytest.fixture(scope="module")
def told() -> Any:
    """What the run in the sink tells."""
    done = subprocess.run(
        [*COMMAND, sys.executable, "-m", "tests.egress.inside"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=RUN_S_MAX,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def can_make_networks() -> bool:
    done = subprocess.run(
        [*COMMAND, "sh", "-ec", "; ".join(SET_UP)], capture_output=True, timeout=30, check=False
    )
    return done.returncode == 0


if not can_make_networks():
    pytest.skip("no network of one's own can be made here", allow_module_level=True)


def test_two_thousand_spellings_of_forbidden_addresses_open_no_connection(told: Any) -> None:
    ways = told["spellings"]
    never = [one for one in spellings() if one.zone == "never"]

    assert len(never) >= 2_000
    assert len(ways) >= WAYS_MIN - 5
    assert all(way["tried"] >= 2_000 for way in ways.values())
    assert {name: way["passed"] for name, way in ways.items() if way["passed"]} == {}
    assert {name: way["asked"] for name, way in ways.items() if way["asked"]} == {}


def test_each_way_asks_for_what_may_be_reached_so_the_sink_sees(told: Any) -> None:
    asked = {name: {host for host, _ in places} for name, places in told["control"].items()}

    assert {name for name, hosts in asked.items() if hosts != {PUBLIC}} == set()
    assert asked.keys() == told["spellings"].keys()


def test_names_that_change_where_they_lead_reach_nothing_forbidden(told: Any) -> None:
    reached = {name: {host for host, _ in way["asked"]} for name, way in told["rebinding"].items()}

    assert {name: hosts - ALLOWED for name, hosts in reached.items() if hosts - ALLOWED} == {}
    # A connection of the first look's was made, or nothing would have been tried.
    assert [name for name, hosts in reached.items() if PUBLIC not in hosts] == []
    assert {
        name: way["more_looks"] for name, way in told["rebinding"].items() if way["more_looks"] > 0
    } == {}


def test_nobody_follows_a_server_to_somewhere_else(told: Any) -> None:
    assert told["redirects"]["answers"] >= 150
    assert told["redirects"]["asked"] == []
