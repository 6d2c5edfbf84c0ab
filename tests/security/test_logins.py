"""A worker on a Kafka with TLS, logins and ACLs: works with the least rights, keeps its secrets."""

import os
import re
import shutil
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # its re-exports are implicit
    AclOperation,
    AdminClient,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialDeletion,
    UserScramCredentialUpsertion,
)

from tests.process.conftest import Instance
from tests.process.running import RunningWorker, wait_for
from tests.security import logins
from tests.security.certificates import Authority
from tests.security.secured import PASSWORD, WORKER, SecuredKafka, least_rights
from tests.security.seen import ANSWERING, assert_hidden, everything
from tests.security.tokens import IdentityProvider, token_endpoint

ROOT = Path(__file__).parents[2]
PERSON = "ann.sharp@example.org"
#: What the profile holds of a person; each text is nowhere else.
PROFILE: dict[str, Any] = {
    "email": PERSON,
    "first_name": "Quirinalia",
    "phone": "+4915112345678",
    "push_token": "push-9d1f0c",
    "birthday": "1987-06-05",
    "attributes": {"note": "likes-tulips-77"},
}
PERSONAL = [*(value for value in PROFILE.values() if isinstance(value, str)), "likes-tulips-77"]


def start(instance: Instance, login: logins.Login, tmp_path: Path) -> RunningWorker:
    """The program itself, saying all it has to say."""
    (tmp_path / "worker.log").touch()
    return RunningWorker(
        instance.wire.settings,
        tmp_path / "worker.log",
        {
            "TRIGGER_DATA_DIR": str(tmp_path / "data"),
            "TRIGGER_RULES": str(tmp_path / "rules.yaml"),
            "TRIGGER_LOG_LEVEL": "debug",
            **login.variables,
        },
        module="app.cli",
        arguments=["worker"],
    )


def publish(instance: Instance) -> None:
    """An order, a cart that a timer waits for, and what is no event, all with personal data."""
    wire = instance.wire
    wire.event("profiles", "c0", "profile_updated", PROFILE)
    wire.event("orders", "c0", "order_placed", {"value": 1}, occurred_ms=1_700_000_000_000)
    wire.event("orders", "c0", "cart_updated", {"cart_id": "k"})
    wire.record("orders", b"c1", b"not json " + PERSON.encode())
    wire.flush()


@pytest.mark.parametrize("way", ["SCRAM-SHA-512", "token endpoint", "client certificate"])
def test_a_worker_needs_no_more_than_the_rights_listed(
    way: str, kafka: SecuredKafka, instance: Instance, tmp_path: Path
) -> None:
    """It decides, fires a timer, commits and explains; nothing of its secrets and of people's
    data is to be seen, at the most talkative log level.
    """
    wire = instance.wire
    kafka.allow(least_rights(wire.settings))
    publish(instance)
    with (
        logins.right(kafka, way, tmp_path) as login,
        start(instance, login, tmp_path) as worker,
    ):
        requests = wire.wait_for_values("dispatch", 2)
        assert {each["address"] for each in requests} == {PERSON}
        wait_for("dead letter", lambda: wire.read("dead-letters"))
        wait_for("commit", lambda: wire.committed()["orders"] == 3)
        wait_for("explained", lambda: worker.get("/explain/c0")[0] == 200)
        seen = everything(worker)
        assert worker.stop() == 0, worker.log
        seen["log"] = worker.log
    assert "DEBUG" in seen["log"]
    assert_hidden([*login.secrets, *PERSONAL], seen)
    answered = {place.split()[1] for place in seen if place.endswith(" 200")}
    assert answered == set(ANSWERING)
    assert all(place.endswith((" 200", " 404")) for place in seen if place.startswith("GET"))


@pytest.mark.parametrize(
    ("kind", "operation", "said"),
    [
        (ResourceType.GROUP, AclOperation.READ, "GroupAuthorizationFailed"),
        (ResourceType.TOPIC, AclOperation.READ, "TopicAuthorizationFailed"),
        (ResourceType.TOPIC, AclOperation.WRITE, "uthorization failed"),
    ],
)
def test_a_right_that_is_missing_ends_the_worker(
    kind: ResourceType,
    operation: AclOperation,
    said: str,
    kafka: SecuredKafka,
    instance: Instance,
    tmp_path: Path,
) -> None:
    """It says which, and does not wait for ever."""
    kafka.allow(
        each
        for each in least_rights(instance.wire.settings)
        if (each.restype, each.operation) != (kind, operation)
    )
    publish(instance)
    with (
        logins.right(kafka, "SCRAM-SHA-512", tmp_path) as login,
        start(instance, login, tmp_path) as worker,
    ):
        assert worker.wait(30) == 1
    assert said in worker.log


@pytest.mark.parametrize("way", ["PLAIN", "SCRAM-SHA-256", "token file"])
def test_both_clients_log_in(way: str, kafka: SecuredKafka, tmp_path: Path) -> None:
    """The one that reads and the one that writes, each with what the settings say."""
    with logins.right(kafka, way, tmp_path) as login:
        done = subprocess.run(
            [sys.executable, "-m", "tests.security.log_in"],
            env=os.environ | login.variables,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.stdout == "1\n1\n", done.stderr


WRONG = {
    "PLAIN": r"SASL authentication error: .*Invalid username or password",
    "SCRAM-SHA-256": r"SASL authentication error: .*SCRAM-SHA-256",
    "SCRAM-SHA-512": r"SASL authentication error: .*SCRAM-SHA-512",
    "forged token": r"invalid_token",
    "expired token": r"the token has expired",
    "no token": r"there is no token",
    "wrong client": r"the token endpoint answers 401",
    "nobody at the endpoint": r"the token endpoint does not answer",
    "another authority": r"certificate verify failed",
    "key's password": r"TRIGGER_SSL_KEY_PASSWORD is not the key's",
}


def test_wrong_credentials_are_refused_and_not_shown(
    kafka: SecuredKafka, instance: Instance, tmp_path: Path
) -> None:
    """Each ends the worker with a word about what is wrong, and without the secret."""
    with ExitStack() as stack:
        endpoint = stack.enter_context(token_endpoint(kafka.identities, WORKER, "right"))
        started = {}
        for number, way in enumerate(WRONG):
            folder = tmp_path / str(number)
            folder.mkdir()
            (folder / "rules.yaml").symlink_to(tmp_path / "rules.yaml")
            login = wrong(kafka, way, endpoint.url, folder)
            started[way] = login, stack.enter_context(start(instance, login, folder))
        for way, (login, worker) in started.items():
            seen = everything(worker)
            assert worker.wait(60) in (1, 2), way
            seen["log"] = worker.log
            assert re.search(WRONG[way], worker.log), f"{way}: {worker.log}"
            assert "Traceback" not in worker.log, f"{way}: {worker.log}"
            assert_hidden(login.secrets, seen)


def wrong(kafka: SecuredKafka, way: str, url: str, folder: Path) -> logins.Login:
    """A login that is refused."""
    secret = "wrong-4711-secret"  # noqa: S105
    match way:
        case "forged token":
            return logins.token(kafka, IdentityProvider(folder).token(WORKER), folder)
        case "expired token":
            return logins.token(kafka, kafka.identities.token(WORKER, -5), folder)
        case "no token":
            login = logins.token(kafka, f"header.body.{secret}", folder)
            (folder / "mounted").write_text("")
            return login
        case "wrong client":
            return logins.client(kafka, url, secret, folder)
        case "nobody at the endpoint":
            return logins.client(kafka, "http://127.0.0.1:9/token", secret, folder)
        case "another authority":
            cafile = Authority(folder, "other").cafile
            login = logins.password(kafka, "PLAIN", PASSWORD, folder)
            login.variables["TRIGGER_SSL_CAFILE"] = str(cafile)
            return login
        case "key's password":
            login = logins.certificate(kafka, folder)
            (folder / "mounted").write_text(secret)
            return logins.Login(variables=login.variables, secrets=(*login.secrets, secret))
        case _:
            return logins.password(kafka, way, secret, folder)


def test_a_password_that_is_no_good_any_more_is_not_shown(
    kafka: SecuredKafka, instance: Instance, tmp_path: Path
) -> None:
    """The worker runs, its user is taken away, the broker restarts: errors, and no secret in
    them. When the user is there again, the next worker recovers and handles what was left.
    """
    way = "SCRAM-SHA-512"
    kafka.allow(least_rights(instance.wire.settings))
    admin = AdminClient({"bootstrap.servers": kafka.cluster.bootstrap_servers})
    mechanism = ScramMechanism.SCRAM_SHA_512
    with logins.right(kafka, way, tmp_path) as login:
        with start(instance, login, tmp_path) as worker:
            worker.wait_until_ready()
            gone = UserScramCredentialDeletion(WORKER, mechanism)
            admin.alter_user_scram_credentials([gone])[WORKER].result(10)
            kafka.cluster.nodes[0].kill()
            kafka.cluster.nodes[0].start()
            kafka.cluster.wait_until_ready()
            refused = re.compile("code=_AUTHENTICATION|AuthenticationFailed")
            wait_for("refused", lambda: refused.search(worker.log), 40)
            seen = everything(worker)
            worker.stop(20)
            seen["log"] = worker.log
            assert_hidden(login.secrets, seen)
        back = UserScramCredentialUpsertion(
            WORKER, ScramCredentialInfo(mechanism, 4096), PASSWORD.encode()
        )
        admin.alter_user_scram_credentials([back])[WORKER].result(10)
        shutil.rmtree(instance.data_dir)
        publish(instance)
        with start(instance, login, tmp_path) as worker:
            assert len(instance.wire.wait_for_values("dispatch", 2)) == 2
            assert worker.stop() == 0
