"""What a drill lays over the Compose file, as Compose itself reads the two."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from chatwoot_ops.operations.drilling import OVERLAY
from world import FOLDER, place_in

COMPOSE = Path(sys.executable).with_name("docker-compose")
STARTED = ("chatwoot-db", "chatwoot-redis", "chatwoot-rails")


def config(folder, *files):
    place = place_in(folder)
    named = [part for file in files for part in ("-f", str(FOLDER / file))]
    argv = (str(COMPOSE), "-p", "x", "--env-file", str(place.env_file), *named, "config", "--format", "json")
    environment = {"PATH": os.environ["PATH"], "CHATWOOT_ENV_FILE": str(place.env_file)}
    return json.loads(subprocess.run(argv, check=True, capture_output=True, text=True, env=environment).stdout)


@pytest.fixture
def base(tmp_path):
    return config(tmp_path, "docker-compose.yml")


@pytest.fixture
def drilled(tmp_path):
    return config(tmp_path, "docker-compose.yml", OVERLAY)


def test_without_the_overlay_there_are_ways_in_and_out(base):
    assert all(base["services"][name]["ports"] for name in STARTED)
    assert base["services"]["chatwoot-rails"]["extra_hosts"]
    assert "shared" in base["services"]["chatwoot-rails"]["networks"]
    assert not base["networks"]["stack"].get("internal")


@pytest.mark.parametrize("name", STARTED)
def test_no_port_is_published_no_host_is_named_and_nothing_starts_by_itself(drilled, name):
    service = drilled["services"][name]
    assert not service.get("ports")
    assert not service.get("extra_hosts")
    assert (service["restart"], service["dns"]) == ("no", ["127.0.0.1"])
    assert service["oom_score_adj"] > 0
    assert service["cpu_shares"] < 1024


def test_the_only_network_is_internal_and_without_an_address_of_the_host(drilled):
    assert {network for each in drilled["services"].values() for network in each["networks"]} == {"stack"}
    stack = drilled["networks"]["stack"]
    assert stack["internal"] is True
    assert stack["driver_opts"] == {"com.docker.network.bridge.inhibit_ipv4": "true"}


@pytest.mark.parametrize("name", STARTED)
def test_everything_else_is_as_production_has_it(base, drilled, name):
    changed = {"ports", "extra_hosts", "restart", "dns", "oom_score_adj", "cpu_shares", "networks"}
    one, other = (
        {key: value for key, value in each["services"][name].items() if key not in changed} for each in (base, drilled)
    )
    assert one == other
