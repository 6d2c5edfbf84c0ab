"""Values whose schema is in a Schema Registry: Avro, and JSON that comes with a JSON Schema.

Such a value is a zero byte, the schema's id in four bytes, big-endian, and the encoded rest. It is
read into the JSON value that it stands for: instants and dates as RFC 3339 writes them, decimals as
numbers; what it is after that, envelope or CloudEvent's data, is for the codec to say.

Who is to blame decides what happens. An id that the registry does not know, bytes that its schema
does not fit: the record's fault, EventError. A registry that does not answer, or not as one, or
refuses: the record cannot be decoded, InfrastructureError; the worker stops and reads it again
after its restart. Asking blocks the worker, up to about ten seconds; but each id is asked for once.

A JSON value is not held against its schema: like Java's, by default. Whoever wrote it did that.
"""

import json
import struct
import time
from collections.abc import Callable, Mapping
from decimal import Decimal
from io import BytesIO
from typing import Any, Final, Protocol

import orjson

from app.core.errors import ConfigError, EventError, InfrastructureError
from app.formats.decode import SCHEMA_MAGIC
from app.settings.model import Settings

#: An id that the registry did not know is not asked for again so soon.
UNKNOWN_FOR_S: Final = 30.0
_TIMEOUT_S: Final = 3.0
_RETRIES: Final = 2
_RETRY_WAIT_MS: Final = 200
_HEAD: Final = struct.Struct(">bI")
_NO_SUCH_SCHEMA: Final = (404, 40403)
_SHOWN_CHARS: Final = 200

Decode = Callable[[bytes], object]


class Client(Protocol):
    """The part of confluent-kafka's SchemaRegistryClient that is used."""

    def get_schema(self, schema_id: int) -> Any: ...
    def get_version(self, subject_name: str, version: int) -> Any: ...


class SchemaReader:
    """Reads values by the schemas of one registry; implements ``ReadBySchema``."""

    def __init__(
        self, client: Client, name: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        #: the registry, as errors call it
        self._name = name
        self._clock = clock
        self._decoders: dict[int, Decode] = {}
        #: id -> (until when it is taken as unknown, why)
        self._unknown: dict[int, tuple[float, EventError]] = {}

    def __call__(self, value: bytes) -> object:
        """The JSON value. Raises EventError or InfrastructureError."""
        if len(value) <= _HEAD.size or value[:1] != SCHEMA_MAGIC:
            raise EventError("schema_value", "expected a schema id and a value after it, got less")
        _, schema_id = _HEAD.unpack_from(value)
        decode = self._decoders.get(schema_id) or self._decoder(schema_id)
        try:
            return decode(value[_HEAD.size :])
        except Exception as exc:  # whatever a decoder makes of bytes that are not its own
            raise EventError(
                "schema_value",
                f"expected a value of schema {schema_id}, got other bytes ({type(exc).__name__})",
            ) from None

    def _decoder(self, schema_id: int) -> Decode:
        until, error = self._unknown.get(schema_id, (0.0, None))
        if error is not None and self._clock() < until:
            raise error
        try:
            decode = self._fetch(schema_id)
        except EventError as exc:
            self._unknown[schema_id] = self._clock() + UNKNOWN_FOR_S, exc
            raise
        self._unknown.pop(schema_id, None)
        self._decoders[schema_id] = decode
        return decode

    def _fetch(self, schema_id: int) -> Decode:
        from confluent_kafka.schema_registry import SchemaRegistryError

        try:
            schema = self._client.get_schema(schema_id)
            named = self._named(schema)
        except SchemaRegistryError as exc:
            if (exc.http_status_code, exc.error_code) == _NO_SUCH_SCHEMA:
                raise EventError(
                    "unknown_schema",
                    f"expected the id of a schema that {self._name} knows, got {schema_id}",
                ) from None
            raise self._unavailable(schema_id, exc) from exc
        except Exception as exc:  # no connection, no certificate, no JSON in the answer
            raise self._unavailable(schema_id, exc) from exc
        match schema.schema_type:
            case "AVRO" | None:
                return _avro(schema_id, schema.schema_str, named)
            case "JSON":
                return orjson.loads
            case other:
                raise EventError(
                    "unknown_schema",
                    f"expected a schema of type AVRO or JSON, got {other} ({schema_id})",
                )

    def _named(self, schema: Any) -> dict[str, Any]:
        """The schema texts that this one refers to, theirs first."""
        found: dict[str, Any] = {}
        for reference in schema.references or ():
            referred = self._client.get_version(reference.subject, reference.version).schema
            found |= self._named(referred)
            found[reference.name] = referred.schema_str
        return found

    def _unavailable(self, schema_id: int, exc: Exception) -> InfrastructureError:
        return InfrastructureError(
            f"the schema registry {self._name} did not say what schema {schema_id} is:"
            f" {type(exc).__name__}: {str(exc)[:_SHOWN_CHARS]}; check TRIGGER_SCHEMA_REGISTRY_*"
            " and that it is up; the batch is read again"
        )


def _avro(schema_id: int, text: str, references: Mapping[str, str]) -> Decode:
    from fastavro import parse_schema, schemaless_reader

    try:
        named: dict[str, Any] = {}
        for reference in references.values():
            parse_schema(json.loads(reference), named_schemas=named)
        schema = parse_schema(json.loads(text), named_schemas=named)
    except Exception as exc:  # fastavro has no common class for what is wrong with a schema
        raise EventError(
            "unknown_schema",
            f"expected an Avro schema, got one that cannot be parsed ({schema_id}):"
            f" {type(exc).__name__}",
        ) from None

    def decode(data: bytes) -> object:
        stream = BytesIO(data)
        value = schemaless_reader(stream, schema, None)
        if stream.tell() != len(data):
            raise ValueError("bytes are left over")
        return orjson.loads(orjson.dumps(value, default=_as_json))

    return decode


def _as_json(value: object) -> object:
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError("bytes have no place in an event")


def schema_reader(settings: Settings) -> SchemaReader | None:
    """By the registry of the settings; None when there is none. Raises ConfigError."""
    url = settings.schema_registry_url
    if url is None:
        return None
    try:
        import fastavro  # noqa: F401  # fails now, not at the first record
        from confluent_kafka.schema_registry import SchemaRegistryClient
    except ImportError as exc:
        raise ConfigError(
            f"TRIGGER_SCHEMA_REGISTRY_URL is set, and {exc.name} is not installed:"
            " install trigger-engine[registry]"
        ) from exc
    try:
        client = SchemaRegistryClient(_client_config(settings, url))
    except (OSError, ValueError) as exc:
        raise ConfigError(f"TRIGGER_SCHEMA_REGISTRY_*: the client refuses: {exc}") from exc
    return SchemaReader(client, url)


def _client_config(settings: Settings, url: str) -> dict[str, Any]:
    config: dict[str, Any] = {
        "url": url,
        "timeout": _TIMEOUT_S,
        "max.retries": _RETRIES,
        "retries.wait.ms": _RETRY_WAIT_MS,
        "retries.max.wait.ms": _RETRY_WAIT_MS,
    }
    if settings.schema_registry_username is not None:
        assert settings.schema_registry_password is not None
        password = settings.schema_registry_password.reveal()
        config["basic.auth.user.info"] = f"{settings.schema_registry_username}:{password}"
    files = {
        "ssl.ca.location": settings.schema_registry_cafile,
        "ssl.certificate.location": settings.schema_registry_certfile,
        "ssl.key.location": settings.schema_registry_keyfile,
    }
    return config | {name: str(path) for name, path in files.items() if path is not None}
