"""Golden command lines, and what none of them may hold."""

from pathlib import Path

import pytest

from chatwoot_ops.commands import chatwoot, compose, database, docker, redis
from fakes import COMPOSE, shown

LABEL = "label=com.docker.compose.project=p"
SIGN_IN = """PGPASSWORD="$CHATWOOT_DATABASE_PASSWORD" exec psql -X -q -w -h chatwoot-db \
        -U "$CHATWOOT_DATABASE_ROLE" -d "$CHATWOOT_DATABASE" -c 'SELECT 1'"""
IN_VOLUME = "docker run --rm -i --network none --user 0 --volume"


def of_stack(stack):
    """Each builder that needs a stack, with the line it makes after Compose's own options."""
    return {
        "compose up -d chatwoot-db": compose.up(stack, COMPOSE, "chatwoot-db"),
        "compose up -d": compose.up(stack, COMPOSE),
        "compose up -d --no-deps chatwoot-rails": compose.up_alone(stack, COMPOSE, "chatwoot-rails"),
        "compose stop chatwoot-rails": compose.stop(stack, COMPOSE, "chatwoot-rails"),
        "compose down --remove-orphans": compose.down(stack, COMPOSE),
        "compose down --remove-orphans --volumes": compose.down(stack, COMPOSE, volumes=True),
        "compose ps --quiet chatwoot-db": compose.container(stack, COMPOSE, "chatwoot-db"),
        "compose ps -a --format json": compose.ps(stack, COMPOSE),
        "compose logs --no-color --timestamps --tail 100": compose.logs(stack, COMPOSE),
        "compose logs --no-color --timestamps --tail 5 --follow chatwoot-db": compose.logs(
            stack, COMPOSE, "chatwoot-db", tail=5, follow=True
        ),
        "compose exec -T chatwoot-db df -Pk": compose.execute(stack, COMPOSE, "chatwoot-db", "df", "-Pk", purpose="P"),
        "compose exec chatwoot-rails sh": compose.interact(stack, COMPOSE, "chatwoot-rails", "sh", purpose="P"),
        "compose run --rm -T --no-deps --label chatwoot-ops.operation=op1 -e A=1 chatwoot-rails ls": compose.run_once(
            stack, COMPOSE, "chatwoot-rails", "ls", purpose="P", operation="op1", environment={"A": "1"}
        ),
        "compose run --rm -T --no-deps --label chatwoot-ops.operation=op1 -e POSTGRES_STATEMENT_TIMEOUT=600s "
        "chatwoot-rails bundle exec rails db:chatwoot_prepare": chatwoot.prepare(stack, COMPOSE, operation="op1"),
        "compose exec chatwoot-rails bundle exec rails console": chatwoot.console(stack, COMPOSE),
        "compose exec -T chatwoot-db psql -X -q -t -A -v ON_ERROR_STOP=1 -U postgres -d chatwoot_production": (
            database.query(stack, COMPOSE, "SELECT 1", purpose="P")
        ),
        "compose exec -T -e PGAPPNAME=x chatwoot-db psql -X -q -t -A -v ON_ERROR_STOP=1 -U postgres "
        "-d chatwoot_production": database.session(stack, COMPOSE, name="x"),
        "compose exec chatwoot-db psql -U postgres -d chatwoot_production": database.shell(
            stack, COMPOSE, superuser=True
        ),
        "compose exec chatwoot-db psql -U chatwoot -d chatwoot_production": database.shell(
            stack, COMPOSE, superuser=False
        ),
        "compose exec -T chatwoot-db sh -c " + SIGN_IN: database.sign_in(stack, COMPOSE),
        "compose exec -T chatwoot-db psql -X -q -t -A -h 127.0.0.1 -U postgres -d chatwoot_production -c SELECT 1": (
            database.answers(stack, COMPOSE)
        ),
        "compose exec -T chatwoot-redis redis-cli GET a": redis.ask(stack, COMPOSE, "GET", "a"),
        "compose exec -T chatwoot-redis redis-cli EVAL return 1 0": redis.script(stack, COMPOSE, "return 1"),
    }


OF_DOCKER = {
    "docker version --format {{.Server.Version}}": docker.version(),
    "docker image inspect --format {{json .}} redis:7": docker.image_id("redis:7"),
    "docker pull --quiet redis:7": docker.pull("redis:7"),
    "docker manifest inspect redis:7": docker.manifest("redis:7"),
    "docker run --rm --network none --entrypoint cat redis:7 /etc/x": docker.read_image_file("redis:7", "/etc/x"),
    "docker volume inspect --format {{json .}} v": docker.volume("v"),
    f"docker volume ls --quiet --filter {LABEL}": docker.volumes_of("p"),
    "docker volume rm --force v w": docker.remove_volumes("v", "w"),
    "docker network inspect --format {{.Id}} n": docker.network("n"),
    "docker network create n": docker.create_network("n"),
    "docker network rm n": docker.remove_network("n"),
    f"{IN_VOLUME} v:/volume:ro --entrypoint sh i -c ls": docker.in_volume("i", "v", "ls"),
    f"{IN_VOLUME} v:/volume --entrypoint sh i -c ls": docker.in_volume("i", "v", "ls", write=True, stdin="x"),
    f"docker ps -aq --filter {LABEL} --filter label=chatwoot-ops.operation": docker.one_off_containers("p"),
    f"docker ps -aq --filter {LABEL} --filter label=chatwoot-ops.operation=o": docker.one_off_containers("p", "o"),
    f"docker ps -aq --filter {LABEL}": docker.containers_of("p"),
    "docker rm --force a b": docker.remove_containers("a", "b"),
    "docker inspect a b": docker.inspect_containers("a", "b"),
    "docker system df --verbose --format {{json .}}": docker.disk_usage(),
    "docker build --quiet --tag n -": docker.build_failing_release("i", "n", "4.15.999"),
    "docker info --format {{.DockerRootDir}}": docker.root_folder(),
}


@pytest.mark.parametrize("line", OF_DOCKER)
def test_docker_is_called_so(line):
    assert shown(OF_DOCKER[line]) == line


def test_compose_is_called_so(stack):
    built = of_stack(stack)
    assert [shown(command) for command in built.values()] == list(built)


def test_every_compose_call_names_program_project_settings_and_files(stack):
    folder = stack.compose_folder
    wanted = (
        f"/x/docker-compose --ansi never --progress quiet -p chatwoot --env-file {stack.env_file} "
        f"-f {folder}/docker-compose.yml "
    )
    for command in of_stack(stack).values():
        assert " ".join(command.argv).startswith(wanted)
        assert command.environment == {"CHATWOOT_ENV_FILE": str(stack.env_file)}


def test_every_public_builder_has_a_golden_line(stack):
    """A builder added without one would escape the rule about secrets too."""
    built = {*(command.purpose for command in (*of_stack(stack).values(), *OF_DOCKER.values()))}
    assert len(built) > 25
    for module in (chatwoot, compose, database, docker, redis):
        text = Path(__file__).read_text(encoding="utf-8")
        own = [name for name, each in vars(module).items() if getattr(each, "__module__", "") == module.__name__]
        lacking = [n for n in own if not n.startswith("_") and f"{module.__name__.rpartition('.')[2]}.{n}(" not in text]
        assert lacking in ([], ["compose"], ["docker", "labels"], ["where"])


def test_no_secret_is_in_any_argv(stack):
    values = stack.settings.secrets().values()
    assert len(values) == 8
    for command in (*of_stack(stack).values(), *OF_DOCKER.values()):
        line = " ".join((*command.argv, command.purpose))
        assert not [value for value in values if value in line]


def test_the_shells_settings_are_shut_out_of_compose(stack):
    for command in of_stack(stack).values():
        assert command.without == {item.key for item in stack.settings.schema}
        assert {"POSTGRES_PASSWORD", "COMPOSE_PROJECT_NAME", "CHATWOOT_IMAGE"} <= command.without


def test_sql_and_values_travel_by_standard_input(stack):
    assert database.query(stack, COMPOSE, "SELECT 1", purpose="P").stdin.endswith("\nSELECT 1")
    assert docker.in_volume("i", "v", "cat", stdin="value").stdin == "value"


def test_what_waits_for_people_has_the_terminal_and_what_works_long_has_the_time(stack):
    assert chatwoot.console(stack, COMPOSE).interactive
    assert database.shell(stack, COMPOSE, superuser=False).interactive
    assert chatwoot.prepare(stack, COMPOSE, operation="o").timeout == 3600
