"""Values to render the chart with: every combination of what changes the objects it makes.

Switches that meet nothing else in the templates do not double the number of combinations: they
take turns.
"""

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any, Final

Values = dict[str, Any]

_RULES_TEXT: Final = "version: 1\nchannels: {email: {requires: email}}\ntriggers: {}\n"
_DECLARING_TEXT: Final = f"""\
{_RULES_TEXT}events:
  orders: {{wishlist_added: {{sku: text}}}}
  support: {{ticket_closed: {{ticket_id: text}}}}
  loyalty: {{points_spent: {{points: number}}}}
"""
_SERVERS: Final = "broker-0.kafka.example:9093,broker-1.kafka.example:9094"

#: Input topics that the rules kept elsewhere declare.
DECLARED_ELSEWHERE: Final = ("loyalty.points",)

SECURITY: Final[dict[str, Values]] = {
    "plaintext": {},
    "tls": {"kafka": {"security": {"protocol": "SSL", "tls": {"caSecretName": "kafka-ca"}}}},
    "mutual tls": {
        "kafka": {
            "security": {
                "protocol": "SSL",
                "tls": {
                    "caSecretName": "kafka-ca",
                    "clientSecretName": "kafka-client",
                    "certKey": "tls.crt",
                    "keyKey": "tls.key",
                    "keyPasswordKey": "password",
                },
            }
        }
    },
    "scram": {
        "kafka": {
            "security": {
                "protocol": "SASL_SSL",
                "sasl": {"username": "triggers", "secretName": "kafka-password"},
            }
        }
    },
    "password of a secret kept elsewhere": {
        "kafka": {
            "security": {
                "protocol": "SASL_SSL",
                "existingSecret": "kafka",
                "sasl": {"username": "triggers"},
            }
        }
    },
    "plain, not encrypted": {
        "kafka": {
            "security": {
                "protocol": "SASL_PLAINTEXT",
                "sasl": {"mechanism": "PLAIN", "username": "triggers", "secretName": "password"},
            }
        }
    },
    "tokens of an endpoint": {
        "kafka": {
            "security": {
                "protocol": "SASL_SSL",
                "sasl": {
                    "mechanism": "OAUTHBEARER",
                    "secretName": "client",
                    "oauth": {
                        "tokenUrl": "https://login.example/oauth/token",
                        "clientId": "triggers",
                        "scope": "kafka",
                    },
                },
            }
        }
    },
    "strimzi tls": {
        "kafka": {"security": {"protocol": "SSL"}},
        "strimzi": {"enabled": True, "cluster": "main"},
    },
    "strimzi scram": {
        "kafka": {"security": {"protocol": "SASL_SSL"}, "topicPrefix": "shop."},
        "strimzi": {
            "enabled": True,
            "cluster": "main",
            "namespace": "kafka",
            "topics": {"inputs": False},
            "user": {"authentication": "scram-sha-512"},
        },
    },
}
_SCALING: Final[dict[str, Values]] = {
    "one worker": {"workers": 1},
    "three workers": {"workers": 3},
    "keda from one": {"keda": {"enabled": True, "minWorkers": 1}},
    "keda from three": {"keda": {"enabled": True, "minWorkers": 3, "maxWorkers": 12}},
}
_MONITORING: Final[dict[str, Values]] = {
    "no monitoring": {},
    "monitoring": {
        name: {"enabled": True, "labels": {"release": "prometheus"}}
        for name in ("podMonitor", "prometheusRule", "dashboards")
    }
    | {
        "prometheusRule": {"enabled": True, "runbookBase": "https://git.example/triggers/main"},
    },
}
_MONITORING["service monitor"] = {"serviceMonitor": {"enabled": True}}
_NETWORK: Final[dict[str, Values]] = {
    "network policy": {"networkPolicy": {"clients": [{"podSelector": {}}]}},
    "no network policy": {"networkPolicy": {"enabled": False}},
}
_RULES: Final[dict[str, Values]] = {
    "default rules": {},
    "own rules and shadow": {
        "rules": {
            "content": _RULES_TEXT,
            "shadow": _RULES_TEXT,
            "extraFiles": {"model.json": "{}"},
        }
    },
    "rules that declare topics": {"rules": {"content": _DECLARING_TEXT}},
    "rules kept elsewhere": {
        "rules": {"existingConfigMap": "rules", "hasShadow": True},
        "kafka": {"declaredTopics": list(DECLARED_ELSEWHERE)},
    },
}
#: Take turns.
_OTHERS: Final[tuple[Values, ...]] = (
    {},
    {
        "web": {"tokenSecretName": "web-token", "host": "::"},
        "image": {"digest": f"sha256:{'a' * 64}"},
    },
    {
        "schemaRegistry": {
            "url": "https://registry.example,http://registry-2.example:8081/v1",
            "username": "triggers",
            "secretName": "registry",
            "caSecretName": "registry-ca",
        },
        "otlpEndpoint": "http://collector.tracing.svc:4318",
        "networkPolicy": {"otlp": [{"namespaceSelector": {}}]},
    },
    {"serviceAccount": {"create": False}, "topologySpread": {"zones": "", "hosts": ""}},
    {
        "kafka": {
            "topicNames": {"orders": "Shop_Orders.v2", "dead-letters": "dlq"},
            "appId": "t2",
        },
        "settings": {"GRACE": "10s", "MAX_POLL_RECORDS": "1000"},
        "fullnameOverride": "engine",
    },
    {
        "volume": {"storageClassName": "fast", "size": "1Ti", "annotations": {"a/b": "c"}},
        "image": {"tag": "1.2.3"},
        "imagePullSecrets": [{"name": "registry"}],
        "commonLabels": {"cost-centre": "growth"},
        "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}],
        "extraVolumes": [{"name": "cache", "emptyDir": {}}],
        "extraVolumeMounts": [{"name": "cache", "mountPath": "/cache"}],
        "extraContainers": [
            {
                "name": "proxy",
                "image": "proxy:1.0.0",
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
                "resources": {
                    "requests": {"cpu": "10m", "memory": "16Mi"},
                    "limits": {"cpu": "100m", "memory": "64Mi"},
                },
            }
        ],
        "podLabels": {"team": "growth"},
        "podAnnotations": {"a/b": "c"},
        "nodeSelector": {"kubernetes.io/arch": "amd64"},
        "tolerations": [{"key": "dedicated", "operator": "Exists"}],
        "priorityClassName": "high",
        "podDisruptionBudget": {"enabled": False},
        "networkPolicy": {
            "extraEgress": [{"ports": [{"port": 4317}]}],
            "kafka": {"ports": [9093, 9094, 9095], "peers": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]},
        },
    },
)
#: What the chart has to refuse -> a part of what it has to say.
REFUSED: Final[dict[str, tuple[Values, str]]] = {
    "no brokers": ({"kafka": {"bootstrapServers": ""}}, "kafka.bootstrapServers"),
    "more workers than partitions": ({"workers": 13}, "at most kafka.partitions"),
    "KEDA beyond partitions": (
        {"keda": {"enabled": True, "maxWorkers": 13}},
        "keda.maxWorkers: got 13, expected at most kafka.partitions",
    ),
    "a budget that leaves none": (
        {"podDisruptionBudget": {"maxUnavailable": 3}},
        "one must stay",
    ),
    "Strimzi without a cluster": ({"strimzi": {"enabled": True}}, "strimzi.cluster"),
    "SASL without a password": (
        {"kafka": {"security": {"protocol": "SASL_SSL"}}},
        "kafka.security.sasl.secretName",
    ),
    "a Strimzi user on a plain listener": (
        {"strimzi": {"enabled": True, "cluster": "main"}},
        "kafka.security.protocol: got PLAINTEXT, expected SSL",
    ),
    "a token endpoint without a client": (
        {
            "kafka": {
                "security": {
                    "protocol": "SASL_SSL",
                    "sasl": {
                        "mechanism": "OAUTHBEARER",
                        "oauth": {"tokenUrl": "https://login.example"},
                    },
                }
            }
        },
        "expected them with OAUTHBEARER",
    ),
    "a registry's user without a password": (
        {"schemaRegistry": {"url": "http://registry:8081", "username": "a"}},
        "schemaRegistry.username and schemaRegistry.secretName",
    ),
    "two sources of rules": (
        {"rules": {"existingConfigMap": "a", "content": "b"}},
        "rules.existingConfigMap",
    ),
    "a setting that the chart makes": ({"settings": {"DATA_DIR": "/x"}}, "settings.DATA_DIR"),
    "a secret in a variable": (
        {"settings": {"WEB_TOKEN": "x"}},
        "invalid propertyName 'WEB_TOKEN'",
    ),
    "a topic that there is not": (
        {"kafka": {"topicNames": {"order": "x"}}},
        "kafka.topicNames.order: got a topic that is not known",
    ),
    "two monitors": (
        {"podMonitor": {"enabled": True}, "serviceMonitor": {"enabled": True}},
        "podMonitor and serviceMonitor",
    ),
    "a variable that the chart makes": (
        {"extraEnv": [{"name": "TRIGGER_APP_ID", "value": "x"}]},
        "extraEnv: TRIGGER_APP_ID",
    ),
    "a setting that there is not": ({"settings": {"GRASE": "1s"}}, "GRASE"),
    "a value that is not known": ({"replicas": 3}, "'replicas' not allowed"),
    "the tag latest": ({"image": {"tag": "latest"}}, "/image/tag"),
    "a privileged port": ({"web": {"port": 80}}, "/web/port"),
    "a grace within the drain": ({"terminationGracePeriodSeconds": 9}, "/terminationGracePeriod"),
}


#: Combinations with something else refuse these.
_ALONE: Final[dict[str, Values]] = {
    "the ServiceAccount's token": {
        "kafka": {
            "security": {
                "protocol": "SASL_SSL",
                "tls": {"caSecretName": "kafka-ca"},
                "sasl": {
                    "mechanism": "OAUTHBEARER",
                    "oauth": {"serviceAccountAudience": "kafka"},
                },
            }
        }
    },
}


def cases() -> Iterator[tuple[str, Values]]:
    """(name, values) of all combinations."""
    axes = (SECURITY, _SCALING, _MONITORING, _NETWORK, _RULES)
    for number, names in enumerate(product(*axes)):
        values: Values = {"kafka": {"bootstrapServers": _SERVERS}}
        for axis, name in zip(axes, names, strict=True):
            values = merged(values, axis[name])
        turn = number % len(_OTHERS)
        yield f"{', '.join(names)}, others {turn}", merged(values, _OTHERS[turn])
    for name, change in _ALONE.items():
        yield name, good_values(change)


def everything() -> Values:
    """Values with all that is optional switched on."""
    switches = ("podMonitor", "prometheusRule", "dashboards")
    values: Values = {name: {"enabled": True} for name in switches}
    values["keda"] = {"enabled": True, "minWorkers": 2, "maxWorkers": 12}
    values["web"] = {"tokenSecretName": "web-token"}
    values["otlpEndpoint"] = "http://collector:4318"
    return good_values(merged(values, SECURITY["strimzi tls"]))


def good_values(change: Values) -> Values:
    """The least that the chart wants, and a change of it."""
    return merged({"kafka": {"bootstrapServers": _SERVERS}}, change)


def merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> Values:
    """``one`` with ``other`` over it, maps merged."""
    result = dict(one)
    for key, value in other.items():
        old = result.get(key)
        both = isinstance(value, Mapping) and isinstance(old, Mapping)
        result[key] = merged(old, value) if both else value  # type: ignore[arg-type]
    return result
