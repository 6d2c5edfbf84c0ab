"""Settings: what the environment may say, and that everything wrong is said at once."""

from pathlib import Path

import pytest

from app.core.errors import ConfigError
from app.settings.load import load_settings
from app.settings.model import Settings, rows
from app.settings.parsers import Secret, duration_ms, duration_text

SASL = {
    "TRIGGER_SECURITY_PROTOCOL": "sasl_ssl",
    "TRIGGER_SASL_MECHANISM": "scram-sha-512",
    "TRIGGER_SASL_USERNAME": "engine",
    "TRIGGER_SASL_PASSWORD": "hunter2",
}


def problems(environ: dict[str, str]) -> list[str]:
    """What load_settings complains of, one entry a line."""
    with pytest.raises(ConfigError) as caught:
        load_settings(environ)
    return str(caught.value).splitlines()[1:]


def test_an_empty_environment_gives_the_defaults() -> None:
    """Nothing has to be set, other programs' variables do not matter, and the rules are there."""
    settings = load_settings({"HOME": "/root", "TRIGGERED": "yes"})

    assert settings == Settings(rules_path=settings.rules_path)
    assert settings.rules_path.name in ("default_rules.yaml", "rules.yaml")


def test_every_kind_of_value_is_read() -> None:
    """Durations, numbers, choices in any case, paths and lists come as what they are."""
    settings = load_settings(
        {
            "TRIGGER_BOOTSTRAP_SERVERS": "kafka-1:9092, [::1]:9093",
            "TRIGGER_GRACE": "15s",
            "TRIGGER_MAX_SKEW": "10m",
            "TRIGGER_COMMIT_INTERVAL": "250ms",
            "TRIGGER_WEB_PORT": "8080",
            "TRIGGER_CLOCK": "RECORDS",
            "TRIGGER_DATA_DIR": "/var/lib/triggers",
            "TRIGGER_INSTANCE_ID": "triggers-0",
        }
    )

    assert settings.bootstrap_servers == "kafka-1:9092,[::1]:9093"
    assert (settings.grace_ms, settings.max_skew_ms) == (15_000, 600_000)
    assert settings.commit_interval_s == 0.25
    assert settings.web_port == 8080
    assert settings.clock == "records"
    assert settings.data_dir == Path("/var/lib/triggers")
    assert settings.instance_id == "triggers-0"


def test_a_variable_set_to_nothing_is_not_set() -> None:
    """Charts and shells write empty variables where they mean none."""
    assert load_settings({"TRIGGER_INSTANCE_ID": "", "TRIGGER_WEB_PORT": ""}).instance_id is None


def test_topics_take_the_prefix_unless_they_are_named() -> None:
    """An override is the whole name; internal topics begin with the app id."""
    settings = load_settings(
        {
            "TRIGGER_TOPIC_PREFIX": "shop.",
            "TRIGGER_TOPIC_ORDERS": "commerce-events",
            "TRIGGER_TOPIC_DEAD_LETTERS": "dlq",
            "TRIGGER_APP_ID": "lifecycle",
        }
    )

    assert settings.topic("bookings") == "shop.bookings"
    assert settings.topic("orders") == "commerce-events"
    assert settings.topic("dead-letters") == "dlq"
    assert settings.changelog_topic == "lifecycle-customers-changelog"


def test_every_problem_is_named_with_got_and_expected() -> None:
    """One run tells all there is to mend."""
    assert problems(
        {
            "TRIGGER_WEB_PORT": "http",
            "TRIGGER_GRACE": "5",
            "TRIGGER_CLOCK": "sundial",
            "TRIGGER_BOOTSTRAP_SERVERS": "kafka",
            "TRIGGER_TOPIC_PREFIX": "a b",
            "TRIGGER_GRACES": "5s",
        }
    ) == [
        "  TRIGGER_BOOTSTRAP_SERVERS: got 'kafka',"
        " expected host:port, or several with commas between them",
        "  TRIGGER_CLOCK: got 'sundial', expected one of wall, records",
        "  TRIGGER_GRACE: got '5', expected a duration such as 500ms, 30s, 15m, 48h or 10d",
        "  TRIGGER_GRACES: got a variable that is not known, expected one that is;"
        " did you mean TRIGGER_GRACE?",
        "  TRIGGER_TOPIC_PREFIX: got 'a b', expected 1 to 200 of the characters a-z A-Z 0-9 . _ -",
        "  TRIGGER_WEB_PORT: got 'http', expected a whole number from 0 to 65535",
    ]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("TRIGGER_WEB_PORT", "65536"),
        ("TRIGGER_WEB_PORT", "-1"),
        ("TRIGGER_WEB_PORT", "٣"),
        ("TRIGGER_PARTITIONS", "1e3"),
        ("TRIGGER_BOOTSTRAP_SERVERS", "kafka:99999"),
        ("TRIGGER_BOOTSTRAP_SERVERS", "a:1,,b:2"),
        ("TRIGGER_GRACE", "-5s"),
        ("TRIGGER_SASL_PASSWORD_FILE", "/nowhere/at/all"),
    ],
)
def test_values_at_the_edge_are_refused(variable: str, value: str) -> None:
    """Nothing is guessed from a value that is almost right."""
    assert any(problem.startswith(f"  {variable}: got ") for problem in problems({variable: value}))


def test_kubernetes_service_links_are_not_typos() -> None:
    """A Service called trigger-engine or trigger puts its own TRIGGER_ variables into the pod."""
    load_settings(
        {
            "TRIGGER_ENGINE_SERVICE_HOST": "10.0.0.1",
            "TRIGGER_ENGINE_SERVICE_PORT": "6066",
            "TRIGGER_ENGINE_SERVICE_PORT_HTTP": "6066",
            "TRIGGER_ENGINE_PORT": "tcp://10.0.0.1:6066",
            "TRIGGER_ENGINE_PORT_6066_TCP": "tcp://10.0.0.1:6066",
            "TRIGGER_ENGINE_PORT_6066_TCP_PROTO": "tcp",
            "TRIGGER_SERVICE_HOST": "10.0.0.1",
            "TRIGGER_PORT": "tcp://10.0.0.1:6066",
            "TRIGGER_PORT_6066_TCP_ADDR": "10.0.0.1",
        }
    )

    assert problems({"TRIGGER_HTTP_PORT": "8080"})


def test_secrets_do_not_show() -> None:
    """Neither in the settings' text nor in an error about one."""
    settings = load_settings(SASL)
    wrong = problems(SASL | {"TRIGGER_SASL_PASSWORD_FILE": "hunter2", "TRIGGER_CLOCK": "x"})

    assert settings.sasl_password == Secret("hunter2")
    assert "hunter2" not in f"{settings} {settings!r} {settings.sasl_password} {wrong}"


def test_a_secret_comes_from_a_file(tmp_path: Path) -> None:
    """As Kubernetes and Docker mount it; the line end does not belong to it."""
    path = tmp_path / "password"
    path.write_text("hunter2\n")
    environ = SASL | {"TRIGGER_SASL_PASSWORD_FILE": str(path)}
    del environ["TRIGGER_SASL_PASSWORD"]

    password = load_settings(environ).sasl_password

    assert password is not None
    assert password.reveal() == "hunter2"


def test_settings_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    """A password that would not be used, half a key pair, two topics with one name."""
    path = tmp_path / "a.pem"
    path.touch()
    assert problems({"TRIGGER_SASL_USERNAME": "engine", "TRIGGER_SSL_CAFILE": str(path)}) == [
        "  TRIGGER_SASL_USERNAME: got a value with TRIGGER_SECURITY_PROTOCOL=PLAINTEXT,"
        " which does not use it, expected SASL_PLAINTEXT or SASL_SSL",
        "  TRIGGER_SSL_CAFILE: got a value with TRIGGER_SECURITY_PROTOCOL=PLAINTEXT,"
        " which does not use it, expected SSL or SASL_SSL",
    ]
    assert problems({"TRIGGER_SECURITY_PROTOCOL": "SSL", "TRIGGER_SSL_CERTFILE": str(path)}) == [
        "  TRIGGER_SSL_CERTFILE and TRIGGER_SSL_KEYFILE: got one of them, expected both"
    ]
    assert problems({"TRIGGER_TOPIC_ORDERS": "bookings"}) == [
        "  TRIGGER_TOPIC_*: got the name 'bookings' more than once, expected different names"
    ]


ENDPOINT = {
    "TRIGGER_SASL_TOKEN_URL": "https://login.example/oauth2/token",
    "TRIGGER_SASL_CLIENT_ID": "engine",
    "TRIGGER_SASL_CLIENT_SECRET": "hunter2",
}


@pytest.mark.parametrize(
    ("mechanism", "given", "named"),
    [
        ("", {}, ["SASL_MECHANISM"]),
        ("PLAIN", {}, ["SASL_USERNAME", "SASL_PASSWORD"]),
        ("PLAIN", SASL | ENDPOINT, ["SASL_TOKEN_URL", "SASL_CLIENT_ID", "SASL_CLIENT_SECRET"]),
        ("OAUTHBEARER", {}, ["SASL_TOKEN_FILE or TRIGGER_SASL_TOKEN_URL"]),
        ("OAUTHBEARER", ENDPOINT, []),
        ("OAUTHBEARER", ENDPOINT | {"TRIGGER_SASL_SCOPE": "kafka"}, []),
        ("OAUTHBEARER", {"TRIGGER_SASL_CLIENT_ID": "x"}, ["SASL_TOKEN_URL", "SASL_CLIENT_SECRET"]),
        ("OAUTHBEARER", SASL | ENDPOINT, ["SASL_USERNAME", "SASL_PASSWORD"]),
        ("OAUTHBEARER", {"TRIGGER_SASL_TOKEN_FILE": __file__}, []),
        (
            "OAUTHBEARER",
            ENDPOINT | {"TRIGGER_SASL_TOKEN_FILE": __file__},
            ["SASL_TOKEN_URL", "SASL_CLIENT_ID", "SASL_CLIENT_SECRET"],
        ),
    ],
)
def test_each_way_to_log_in_has_its_own_settings(
    mechanism: str, given: dict[str, str], named: list[str]
) -> None:
    """What is missing for it is named, and what belongs to another one."""
    environ = given | {
        "TRIGGER_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
        "TRIGGER_SASL_MECHANISM": mechanism,
    }
    if named:
        found = [problem.partition(":")[0] for problem in problems(environ)]
        assert found == [f"  TRIGGER_{name}" for name in named]
    else:
        assert load_settings(environ).sasl_mechanism == mechanism


@pytest.mark.parametrize(
    "url",
    [
        "login.example/token",
        "ftp://login.example/token",
        "file:///etc/passwd",
        "https://engine:hunter2@login.example/token",
        "https://login.example/token?client_secret=hunter2",
    ],
)
def test_a_token_comes_from_a_url_that_may_be_shown(url: str) -> None:
    """Errors name the URL, so no secret may be in it; and the refusal does not show it."""
    (found,) = problems(
        ENDPOINT
        | {
            "TRIGGER_SECURITY_PROTOCOL": "SASL_SSL",
            "TRIGGER_SASL_MECHANISM": "OAUTHBEARER",
            "TRIGGER_SASL_TOKEN_URL": url,
        }
    )
    assert found.startswith("  TRIGGER_SASL_TOKEN_URL: got a value that is not shown, expected")
    assert "hunter2" not in found


@pytest.mark.parametrize("text", ["0d", "1ms", "1500ms", "30s", "15m", "48m", "25h", "10d"])
def test_durations_are_written_as_they_are_read(text: str) -> None:
    """The text of a duration reads back as the same, in its largest whole unit."""
    assert duration_text(duration_ms(text)) == text


def test_a_web_token_comes_from_a_file_too(tmp_path: Path) -> None:
    """It is not shown; an empty file is refused: it would let everybody in."""
    path = tmp_path / "token"
    path.write_text("s3cret\n")
    settings = load_settings({"TRIGGER_WEB_TOKEN_FILE": str(path)})
    assert settings.web_token == Secret("s3cret")
    assert "s3cret" not in repr(settings)
    path.write_text("\n")
    (problem,) = problems({"TRIGGER_WEB_TOKEN_FILE": str(path)})
    assert problem.endswith("expected the path of a file that is not empty")


@pytest.mark.parametrize("url", ["a:6066", "http://", "http://a/b", "ftp://a", "http://a:b@c"])
def test_a_web_url_is_an_address_without_a_path(url: str) -> None:
    """Others put paths behind it."""
    assert load_settings({"TRIGGER_WEB_URL": "http://a-0.b:80/"}).web_url == "http://a-0.b:80"
    (problem,) = problems({"TRIGGER_WEB_URL": url})
    assert "expected http://host:port" in problem


@pytest.mark.parametrize("url", ["r:8081", "http://a:b@r", "http://r/x?y", "http://r,", "ftp://r"])
def test_a_registry_is_one_or_more_addresses(url: str) -> None:
    """Each may have a path; credentials are in other variables, not in the address."""
    name = "TRIGGER_SCHEMA_REGISTRY_URL"
    settings = load_settings({name: "https://a:8081/apis/ccompat/v7/, http://b"})
    assert settings.schema_registry_url == "https://a:8081/apis/ccompat/v7,http://b"
    problem = problems({name: url})[0]
    assert "expected http://host:port/path" in problem
    assert "a:b" not in problem
    problem = problems({"TRIGGER_OTLP_ENDPOINT": url})[0]
    assert "expected http://host:port/path" in problem


def test_a_registrys_credentials_go_with_its_address_and_each_other() -> None:
    """Each alone is a mistake."""
    address = {"TRIGGER_SCHEMA_REGISTRY_URL": "http://r"}
    user = {"TRIGGER_SCHEMA_REGISTRY_USERNAME": "u"}
    both = user | {"TRIGGER_SCHEMA_REGISTRY_PASSWORD": "hidden"}
    assert "hidden" not in repr(load_settings(address | both))
    assert "got one of them, expected both" in problems(address | user)[0]
    assert (
        "got one of them, expected both"
        in problems(address | {"TRIGGER_SCHEMA_REGISTRY_KEYFILE": "k"})[0]
    )
    assert [problem.strip().partition(":")[0] for problem in problems(both)] == [
        "TRIGGER_SCHEMA_REGISTRY_PASSWORD",
        "TRIGGER_SCHEMA_REGISTRY_USERNAME",
    ]


def test_every_row_of_the_table_can_be_set_and_says_what_it_is_for() -> None:
    """One variable a row, one sentence, and a parser that says what it expects."""
    table = list(rows())

    names = [row.variable.name for row in table]
    assert len(set(names)) == len(names)
    unset = {"topic_names", "declared_inputs"}
    assert {row.field for row in table} == set(Settings.__struct_fields__) - unset
    for row in table:
        sentence = row.variable.sentence
        assert sentence[0].isupper(), row.field
        assert sentence.endswith("."), row.field
        assert callable(row.variable.parse), row.field


def test_timeouts_of_kafka_are_read() -> None:
    """Both are durations within what brokers accept."""
    settings = load_settings(
        {"TRIGGER_TRANSACTION_TIMEOUT": "1m", "TRIGGER_SESSION_TIMEOUT": "20s"}
    )

    assert (settings.transaction_timeout_ms, settings.session_timeout_ms) == (60_000, 20_000)


def test_how_the_package_is_built_and_imported_is_no_setting() -> None:
    """A worker starts with these variables, too."""
    assert load_settings({"TRIGGER_PURE_PYTHON": "1", "TRIGGER_COMPILE": "0"}) == load_settings({})
