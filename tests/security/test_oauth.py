"""Tokens: taken anew in time, from a file or an endpoint, and never in an error."""

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.core.errors import InfrastructureError
from app.kafka.oauth import Fetch, Token, TokenSource, from_endpoint, from_file, token_source
from app.settings.model import Settings
from app.settings.parsers import Secret
from tests.security.answers import Answers, answering


def jwt(number: int, lives_s: float) -> str:
    """A token that nobody signed."""
    claims = json.dumps({"exp": time.time() + lives_s, "n": number}).encode()
    return f"e30.{base64.urlsafe_b64encode(claims).rstrip(b'=').decode()}.x"


@pytest.fixture
def answers() -> Iterator[Answers]:
    with answering() as answers:
        yield answers


class Clock:
    """Stands still unless it is moved."""

    def __init__(self) -> None:
        self.now_s = time.time()

    def __call__(self) -> float:
        return self.now_s


def asking(url: str) -> Fetch:
    return from_endpoint(url, "engine:1", Secret("top/secret"), "kafka write")


def answer(token: str, **more: Any) -> bytes:
    return json.dumps({"access_token": token, **more}).encode()


def test_a_token_is_used_until_most_of_its_life_is_over(answers: Answers) -> None:
    """One request for many connections; the next one in time."""
    clock = Clock()
    source = TokenSource(asking(answers.url), clock)
    answers.body = answer("first", expires_in=300)
    assert {source.token().secret.reveal() for _ in range(5)} == {"first"}
    assert len(answers.asked) == 1
    assert abs(source.token().expires_s - clock.now_s - 300) < 60

    answers.body = answer("next", expires_in=300)
    clock.now_s += 230
    assert source.token().secret.reveal() == "first"
    clock.now_s += 60
    assert source.token().secret.reveal() == "next"


def test_the_endpoint_is_asked_as_the_standard_says(answers: Answers) -> None:
    """RFC 6749: form-encoded, the client's id and secret escaped before they are joined."""
    answers.body = answer("t", expires_in=60)
    asking(answers.url)()
    (headers, body) = answers.asked[0]
    assert body == "grant_type=client_credentials&scope=kafka+write"
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"
    basic = headers["Authorization"].removeprefix("Basic ")
    assert base64.b64decode(basic) == b"engine%3A1:top%2Fsecret"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (401, b'{"error_description": "top/secret is wrong"}'),
        (302, b""),
        (500, b"top/secret"),
        (200, b"top/secret"),
        (200, b'["top/secret"]'),
        (200, b'{"token": "top/secret"}'),
        (200, b'{"access_token": ""}'),
        (200, b'{"access_token": "top/secret\\n", "expires_in": 60}'),
        (200, b"[" * 100_000),
    ],
)
def test_no_token_is_an_error_without_a_secret(answers: Answers, status: int, body: bytes) -> None:
    """It names the endpoint; nothing of the answer is in it, and no redirect is followed."""
    answers.status, answers.body = status, body
    with pytest.raises(InfrastructureError) as caught:
        asking(answers.url)()
    text = f"{caught.value} {caught.value.__cause__} {caught.value.__context__!r}"
    assert answers.url in str(caught.value)
    assert "top/secret" not in text
    assert len(answers.asked) == 1


def test_a_token_in_use_outlives_a_refused_renewal() -> None:
    """As long as it is good; after that there is none."""
    clock = Clock()
    tokens = [Token(Secret("old"), clock.now_s + 100)]

    def fetch() -> Token:
        if not tokens:
            raise InfrastructureError("nobody answers")
        return tokens.pop()

    source = TokenSource(fetch, clock)
    for _ in range(3):
        assert source.token().secret == Secret("old")
        clock.now_s += 33
    clock.now_s += 2
    with pytest.raises(InfrastructureError):
        source.token()


def test_a_mounted_token_is_read_again(tmp_path: Path) -> None:
    """The file is read again before the token in it expires."""
    clock = Clock()
    path = tmp_path / "token"
    path.write_text(jwt(1, 300) + "\n")
    source = TokenSource(from_file(path), clock)
    assert source.token().secret.reveal() == path.read_text().strip()
    path.write_text(jwt(2, 300))
    clock.now_s += 299
    assert source.token().secret.reveal() == path.read_text()


def test_there_is_one_source_for_all_clients(tmp_path: Path) -> None:
    """Each client that connects does not ask for a token of its own."""
    settings = Settings(sasl_mechanism="OAUTHBEARER", sasl_token_file=tmp_path / "token")
    assert token_source(settings) is token_source(settings)


@pytest.mark.parametrize(
    "text",
    ["", "two\nlines", "caf\u00e9", jwt(1, -1)],
    ids=["nothing", "two lines", "not ASCII", "expired"],
)
def test_a_mounted_file_without_a_token_is_named(tmp_path: Path, text: str) -> None:
    """And what is in it is not shown."""
    path = tmp_path / "token"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InfrastructureError, match=str(path)) as caught:
        from_file(path)()
    assert not text or text not in str(caught.value)
