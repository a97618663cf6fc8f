"""The Docker client: what Compose has no verb for."""

from __future__ import annotations

from chatwoot_ops.commands.compose import OPERATION_LABEL
from chatwoot_ops.model.command import Command

PROJECT_LABEL = "com.docker.compose.project"


def docker(*argv: str, purpose: str, timeout: float = 60.0, stdin: str | None = None) -> Command:
    """A Docker call."""
    return Command(("docker", *argv), purpose, timeout=timeout, stdin=stdin)


def version() -> Command:
    """The engine's version, or why no engine answers."""
    return docker("version", "--format", "{{.Server.Version}}", purpose="Asking the Docker Engine", timeout=20)


def image_id(image: str) -> Command:
    """An image's id and repository digests, as JSON."""
    return docker("image", "inspect", "--format", "{{json .}}", image, purpose=f"Looking for the image {image}")


def pull(image: str) -> Command:
    """Fetches an image from its registry."""
    return docker("pull", "--quiet", image, purpose=f"Pulling {image}", timeout=1800)


def manifest(image: str) -> Command:
    """Asks the registry whether it has an image, without fetching it."""
    return docker("manifest", "inspect", image, purpose=f"Asking the registry for {image}", timeout=30)


def read_image_file(image: str, path: str) -> Command:
    """A file of an image, read without starting its program."""
    argv = ("run", "--rm", "--network", "none", "--entrypoint", "cat", image, path)
    return docker(*argv, purpose=f"Reading {path} of {image}", timeout=120)


def volume(name: str) -> Command:
    """A volume's description as JSON; exits with 1 when there is none."""
    return docker("volume", "inspect", "--format", "{{json .}}", name, purpose=f"Looking for the volume {name}")


def volumes_of(project: str) -> Command:
    """Names of all volumes that carry a project's label."""
    argv = ("volume", "ls", "--quiet", "--filter", f"label={PROJECT_LABEL}={project}")
    return docker(*argv, purpose="Listing the volumes")


def remove_volumes(*names: str) -> Command:
    """Removes volumes with all that is in them."""
    return docker("volume", "rm", "--force", *names, purpose="Removing the volumes", timeout=120)


def network(name: str) -> Command:
    """A network's id; exits with 1 when there is none."""
    return docker("network", "inspect", "--format", "{{.Id}}", name, purpose=f"Looking for the network {name}")


def create_network(name: str) -> Command:
    """A bridge network that several stacks share."""
    return docker("network", "create", name, purpose=f"Creating the network {name}")


def remove_network(name: str) -> Command:
    """Removes a network that nothing uses any more."""
    return docker("network", "rm", name, purpose=f"Removing the network {name}")


def in_volume(
    image: str, volume_name: str, script: str, *, write: bool = False, stdin: str | None = None, timeout: float = 600
) -> Command:
    """A shell script of ours in a one-off container that has a volume at /volume; it has no network.

    `stdin` is handed to the script, which is where values travel.
    """
    mount = f"{volume_name}:/volume" + ("" if write else ":ro")
    argv = (
        "run",
        "--rm",
        "-i",
        "--network",
        "none",
        "--user",
        "0",
        "--volume",
        mount,
        "--entrypoint",
        "sh",
        image,
        "-c",
        script,
    )
    return docker(*argv, purpose=f"Looking into the volume {volume_name}", timeout=timeout, stdin=stdin)


def labels(project: str, operation: str) -> tuple[str, ...]:
    """The options that mark a one-off container as a project's and an operation's, so that recovery finds it."""
    return ("--label", f"{PROJECT_LABEL}={project}", "--label", f"{OPERATION_LABEL}={operation}")


def one_off_containers(project: str, operation: str = "") -> Command:
    """Ids of one-off containers that a project's operations started (all of them, or one operation's)."""
    label = f"{OPERATION_LABEL}={operation}" if operation else OPERATION_LABEL
    argv = ("ps", "-aq", "--filter", f"label={PROJECT_LABEL}={project}", "--filter", f"label={label}")
    return docker(*argv, purpose="Looking for one-off containers")


def containers_of(project: str) -> Command:
    """Ids of all containers of a project, running or not."""
    argv = ("ps", "-aq", "--filter", f"label={PROJECT_LABEL}={project}")
    return docker(*argv, purpose="Listing the project's containers")


def remove_containers(*ids: str) -> Command:
    """Ends and removes containers at once."""
    return docker("rm", "--force", *ids, purpose="Removing containers")


def inspect_containers(*ids: str) -> Command:
    """Full description of containers: state, restarts, health log."""
    return docker("inspect", *ids, purpose="Inspecting the containers")


def disk_usage() -> Command:
    """Sizes of images, containers and volumes as JSON."""
    return docker("system", "df", "--verbose", "--format", "{{json .}}", purpose="Measuring the volumes", timeout=120)


def root_folder() -> Command:
    """The folder where the engine keeps its data."""
    return docker("info", "--format", "{{.DockerRootDir}}", purpose="Asking where the engine keeps its data")


def build_failing_release(image: str, name: str, version: str) -> Command:
    """A local image of an invented release, made from a real one, whose preparation ends with 1."""
    recipe = (
        f"FROM {image}\n"
        f"RUN sed -i \"s/^\\( *version: *\\).*/\\1'{version}'/\" config/app.yml\n"
        "RUN printf '\\nRake::Task[%s].enhance { abort %s }\\n' \"'db:chatwoot_prepare'\" \"'made to fail'\" "
        ">> lib/tasks/db_enhancements.rake\n"
    )
    return docker(
        "build", "--quiet", "--tag", name, "-", purpose="Making a release that fails", timeout=600, stdin=recipe
    )
