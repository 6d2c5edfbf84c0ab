"""Logs in to Kafka with both clients and prints how many brokers each sees.

``python -m tests.security.log_in``, with TRIGGER_* variables. A process of its own: aiokafka leaves
sockets to the end of it.
"""

import asyncio
import os

from aiokafka.client import AIOKafkaClient
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth

from app.kafka.clients import Admin
from app.kafka.faust_credentials import credentials
from app.settings.load import load_settings


async def main() -> None:
    """The one that writes, then the one that reads, with what Faust gives it."""
    settings = load_settings(os.environ)
    print(len(Admin(settings).list_topics(timeout=10).brokers))
    client = AIOKafkaClient(
        bootstrap_servers=settings.bootstrap_servers,
        **credentials_to_aiokafka_auth(credentials(settings)),
    )
    await client.bootstrap()
    print(len(client.cluster.brokers()))
    await client.close()


if __name__ == "__main__":
    asyncio.run(main())
