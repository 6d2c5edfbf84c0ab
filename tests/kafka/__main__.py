"""``python -m tests.kafka [BROKERS]``: Apache Kafka on loopback until Ctrl-C."""

import signal
import sys

from tests.kafka.cluster import KafkaCluster
from tests.kafka.jars import why_missing


def main() -> int:
    missing = why_missing()
    if missing:
        print(missing, file=sys.stderr)
        return 1
    with KafkaCluster(int(sys.argv[1]) if len(sys.argv) > 1 else 1) as cluster:
        print(cluster.bootstrap_servers, flush=True)
        signal.sigwait({signal.SIGINT, signal.SIGTERM})
    return 0


if __name__ == "__main__":
    sys.exit(main())
