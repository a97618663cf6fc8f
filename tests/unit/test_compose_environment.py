"""What only the tasks read stays out of the containers: a change of it must not replace web and worker."""

import pytest
import yaml

from chatwoot_ops.model.schema import parse_schema
from world import FOLDER

GROUP = "Backup"


def blanked(text):
    """Settings that the compose file gives web and worker empty, whatever `.env` says."""
    base = yaml.safe_load(text)["x-base"]["environment"]
    return {key for key, value in base.items() if value == ""}


def own_settings():
    text = (FOLDER / ".env.example").read_text(encoding="utf-8")
    return {setting.key for setting in parse_schema(text) if setting.group == GROUP}


def test_every_setting_of_the_backups_is_blank_in_web_and_worker():
    assert own_settings() >= {"BACKUP_FOLDER", "BACKUP_RECIPIENTS", "BACKUP_ENCRYPT"}
    assert own_settings() - blanked((FOLDER / "docker-compose.yml").read_text(encoding="utf-8")) == set()


def test_a_setting_that_would_reach_them_is_found():
    text = (FOLDER / "docker-compose.yml").read_text(encoding="utf-8").replace('    BACKUP_ENCRYPT: ""\n', "")
    assert own_settings() - blanked(text) == {"BACKUP_ENCRYPT"}


def given_twice(node):
    """Keys that Compose refuses and PyYAML takes, the last one winning."""
    if isinstance(node, yaml.MappingNode):
        keys = [key.value for key, _ in node.value]
        yield from (key for key in set(keys) if keys.count(key) > 1)
    children = [part for pair in node.value for part in pair] if isinstance(node, yaml.MappingNode) else node.value
    for child in children if not isinstance(children, str) else ():
        yield from given_twice(child)


@pytest.mark.parametrize("file", sorted(FOLDER.glob("docker-compose*.yml")), ids=lambda file: file.name)
def test_no_key_of_a_compose_file_is_given_twice(file):
    assert list(given_twice(yaml.compose(file.read_text(encoding="utf-8")))) == []


def test_a_key_that_is_given_twice_is_found():
    assert list(given_twice(yaml.compose("x: [{WAL: 1, WAL: 2}]"))) == ["WAL"]
