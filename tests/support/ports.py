"""Ports for programs that have to know them before they start."""

import socket


def free(count: int) -> list[int]:
    """Return so many ports of the loopback that nobody listens on; all are different."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()
