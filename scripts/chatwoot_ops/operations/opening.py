"""Opens a stack: finds its files, reads its settings, and refuses with all problems at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from chatwoot_ops.adapters.env_file import EnvFile, read_env_file
from chatwoot_ops.adapters.host import Host
from chatwoot_ops.errors import SettingsInvalidError
from chatwoot_ops.model.schema import SettingDefinition, parse_schema
from chatwoot_ops.model.settings import Settings, problems_of
from chatwoot_ops.model.stack import Stack


@dataclass(frozen=True, slots=True)
class Place:
    """Where a stack's files lie: the compose folder with its schema, and the settings file."""

    compose_folder: Path
    env_file: Path

    @property
    def example(self) -> Path:
        """The schema that operators read."""
        return self.compose_folder / ".env.example"

    def schema(self) -> tuple[SettingDefinition, ...]:
        """Every setting that exists."""
        return parse_schema(self.example.read_text(encoding="utf-8"))


def place_of(repository: Path, env_file: str = "") -> Place:
    """The place of the repository's own stack, or of the stack whose settings file is named."""
    folder = repository / "infra" / "docker" / "chatwoot"
    return Place(folder, Path(env_file).resolve() if env_file else folder / ".env")


def open_stack(place: Place) -> Stack:
    """The stack, its settings checked.

    Raises SettingsInvalidError with every problem of the file and of its values.
    """
    file = read_env_file(place.env_file)
    stack = unchecked_stack(place, file)
    problems = (*file.problems, *problems_of(stack.settings, file.values))
    if problems:
        remedy = f"Correct {place.env_file}, then run this again. Nothing was changed."
        raise SettingsInvalidError("The settings cannot work", details=problems, remedy=remedy)
    return stack


def open_before_secrets(place: Place, file: EnvFile, generated: tuple[str, ...]) -> Stack:
    """The stack before its secrets are made: an empty secret that set-up will fill is no problem yet.

    Raises SettingsInvalidError for every other problem.
    """
    stack = unchecked_stack(place, file)
    from_file = file.problems if file.path == place.env_file else ()
    empty = frozenset(key for key in generated if not file.values.get(key))
    found = problems_of(stack.settings, file.values, made_later=empty)
    if from_file or found:
        remedy = f"Correct {place.env_file}, then run this again. Nothing was changed."
        raise SettingsInvalidError("The settings cannot work", details=(*from_file, *found), remedy=remedy)
    return stack


def unchecked_stack(place: Place, file: EnvFile) -> Stack:
    """The stack as its file describes it, right or wrong."""
    return Stack(Settings.merge(place.schema(), file.values), place.compose_folder, place.env_file)


def open_with(place: Place, host: Host) -> Stack:
    """The stack, its settings checked, and its secrets known to the host so that no output holds them."""
    stack = open_stack(place)
    host.processes.secrets = (*host.processes.secrets, *stack.settings.secrets().values())
    return stack
