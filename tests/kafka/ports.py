"""Loopback ports that nobody listens on and that the kernel does not give to outgoing connections.

A broker that restarts on such a port finds it free, and a client that knocks meanwhile cannot by
accident be connected to itself.
"""

import random
import socket
from typing import Final

HOST: Final = "127.0.0.1"
_LOW: Final = 12_000
_HIGH: Final = 32_000
_TRIES: Final = 200


def free_ports(count: int) -> list[int]:
    """``count`` different ports, free a moment ago."""
    found: list[int] = []
    for port in random.sample(range(_LOW, _HIGH), _TRIES):
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                sock.bind((HOST, port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise OSError(f"{_TRIES} ports tried, fewer than {count} are free")
