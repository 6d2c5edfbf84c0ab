"""Ours: the real ``triggers worker``, told where its topics and its state are."""

import os
import sys

from tests.bench.hosts.job import Job, given_job


def environment(job: Job) -> dict[str, str]:
    """The worker's settings: its defaults, but for what the job says."""
    topics = {
        **job.inputs,
        "dispatch": job.dispatch,
        "decisions": job.decisions,
    }
    return {
        **{name: value for name, value in os.environ.items() if "TRIGGER_" not in name},
        **{f"TRIGGER_TOPIC_{logical.upper()}": name for logical, name in topics.items()},
        "TRIGGER_BOOTSTRAP_SERVERS": job.bootstrap_servers,
        "TRIGGER_APP_ID": job.group,
        "TRIGGER_TOPIC_PREFIX": f"{job.group}-",
        "TRIGGER_INSTANCE_ID": f"{job.group}-0",
        "TRIGGER_DATA_DIR": job.folder,
        "TRIGGER_RULES": str(job.rules),
        "TRIGGER_COMPRESSION": job.compression,
        "TRIGGER_COMMIT_INTERVAL": f"{job.commit_interval_s * 1000:.0f}ms",
        "TRIGGER_WEB_PORT": "0",
        "TRIGGER_LOG_LEVEL": "warning",
        **job.variables,
    }


if __name__ == "__main__":
    command = [sys.executable, "-m", "app.cli", "worker"]
    os.execve(sys.executable, command, environment(given_job()))
