"""Apache Kafka as a company runs it: TLS, several ways to log in, and nobody may do anything that
an ACL does not allow.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Final
from uuid import uuid4

from confluent_kafka.admin import (  # type: ignore[attr-defined]  # its re-exports are implicit
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from app.kafka.topic_specs import needed
from app.settings.model import Settings
from tests.kafka.cluster import KafkaCluster
from tests.kafka.properties import Listener
from tests.security.certificates import Authority
from tests.security.tokens import AUDIENCE, IdentityProvider

#: The engine's principal, however it logs in.
WORKER: Final = "triggers"
PASSWORD: Final = f"pass-{uuid4().hex}"
_MECHANISMS: Final = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER")
_OPERATIONS: Final = {
    "Describe": AclOperation.DESCRIBE,
    "DescribeConfigs": AclOperation.DESCRIBE_CONFIGS,
    "Read": AclOperation.READ,
    "Write": AclOperation.WRITE,
}
_SECURITY: Final = "org.apache.kafka.common.security"


class SecuredKafka:
    """One broker, to be started by ``with``. Its plain listener is the administrator's, ``SASL``
    takes passwords and tokens over TLS, ``MUTUAL`` client certificates.
    """

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder)
        self.identities = IdentityProvider(folder)
        certfile, keyfile = self.authority.issue("broker")
        keystore = folder / "broker.pem"
        keystore.write_text(keyfile.read_text() + certfile.read_text())
        tls = {"ssl.keystore.type": "PEM", "ssl.keystore.location": str(keystore)}
        listeners = (
            Listener(name="SASL", protocol="SASL_SSL", settings=tls | _logins(self.identities)),
            Listener(
                name="MUTUAL",
                protocol="SSL",
                settings=tls
                | {
                    "ssl.client.auth": "required",
                    "ssl.truststore.type": "PEM",
                    "ssl.truststore.location": str(self.authority.cafile),
                    "ssl.principal.mapping.rules": "RULE:^CN=([a-z]+)$/$1/",
                },
            ),
        )
        scram = [
            f"{mechanism}=[name={WORKER},password={PASSWORD}]"
            for mechanism in _MECHANISMS
            if mechanism.startswith("SCRAM")
        ]
        self.cluster = KafkaCluster(
            listeners=listeners,
            settings={
                "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
                "super.users": "User:ANONYMOUS",
                "allow.everyone.if.no.acl.found": "false",
            },
            format_options=[each for user in scram for each in ("--add-scram", user)],
            java_options=[
                "-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls="
                f"{self.identities.keys_file.as_uri()}",
                f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.files={self.identities.keys_file}",
            ],
        )

    def allow(self, bindings: Iterable[AclBinding]) -> None:
        """Add these ACLs."""
        admin = AdminClient({"bootstrap.servers": self.cluster.bootstrap_servers})
        for future in admin.create_acls(list(bindings)).values():
            future.result(10)


def _logins(identities: IdentityProvider) -> dict[str, str]:
    scram = f"{_SECURITY}.scram.ScramLoginModule required;"
    return {
        "sasl.enabled.mechanisms": ",".join(_MECHANISMS),
        "plain.sasl.jaas.config": (
            f'{_SECURITY}.plain.PlainLoginModule required user_{WORKER}="{PASSWORD}";'
        ),
        "scram-sha-256.sasl.jaas.config": scram,
        "scram-sha-512.sasl.jaas.config": scram,
        "oauthbearer.sasl.jaas.config": (
            f"{_SECURITY}.oauthbearer.OAuthBearerLoginModule required;"
        ),
        "oauthbearer.sasl.server.callback.handler.class": (
            f"{_SECURITY}.oauthbearer.OAuthBearerValidatorCallbackHandler"
        ),
        # the default one, told the keys like this, looks at no signature
        "sasl.oauthbearer.jwt.validator.class": f"{_SECURITY}.oauthbearer.BrokerJwtValidator",
        "sasl.oauthbearer.jwks.endpoint.url": identities.keys_file.as_uri(),
        "sasl.oauthbearer.expected.audience": AUDIENCE,
    }


def least_rights(settings: Settings) -> list[AclBinding]:
    """What the engine says that a worker needs on topics that are there, and nothing else."""
    return [
        *(
            _allowed(ResourceType.TOPIC, need.topic, _OPERATIONS[operation])
            for need in needed(settings)
            for operation in need.operations
        ),
        _allowed(ResourceType.GROUP, settings.app_id, AclOperation.READ),
        _allowed(
            ResourceType.TRANSACTIONAL_ID,
            f"{settings.app_id}-",
            AclOperation.WRITE,
            ResourcePatternType.PREFIXED,
        ),
    ]


def _allowed(
    kind: ResourceType,
    name: str,
    operation: AclOperation,
    pattern: ResourcePatternType = ResourcePatternType.LITERAL,
) -> AclBinding:
    return AclBinding(
        kind, name, pattern, f"User:{WORKER}", "*", operation, AclPermissionType.ALLOW
    )
