"""A DNS server on loopback that answers as a test wants, and the system's resolver made to ask it."""

import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Thread
from typing import Final

import dns.message
import dns.rcode
import dns.rdatatype
import dns.resolver
import dns.rrset

_SILENCE_SECONDS: Final = 2


@dataclass(kw_only=True)
class Names:
    """What names have for addresses, or other names; each list of answers is gone through, one a question."""

    port: int = 0
    addresses: dict[str, list[list[str]]] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    failing: dict[str, dns.rcode.Rcode] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)
    asked: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How often, by name and type."""

    def answer(self, wire: bytes) -> bytes | None:
        """Return the answer to one question, or None for none."""
        query = dns.message.from_wire(wire)
        (question,) = query.question
        name, kind = question.name.to_text(omit_final_dot=True), dns.rdatatype.to_text(question.rdtype)
        self.asked[name, kind] += 1
        if name in self.silent:
            return None
        response = dns.message.make_response(query, recursion_available=True)
        if name in self.failing:
            response.set_rcode(self.failing[name])
            return response.to_wire()
        while name in self.aliases:
            alias = self.aliases[name]
            response.answer.append(dns.rrset.from_text(f"{name}.", 0, "IN", "CNAME", f"{alias}."))
            name = alias
        if name not in self.addresses:
            response.set_rcode(dns.rcode.NXDOMAIN)
        elif found := [each for each in self._next(name, kind) if (":" in each) == (kind == "AAAA")]:
            response.answer.append(dns.rrset.from_text(f"{name}.", 0, "IN", kind, *found))
        return response.to_wire()

    def _next(self, name: str, kind: str) -> list[str]:
        answers = self.addresses[name]
        return answers[min(self.asked[name, kind], len(answers)) - 1]


def _serve(names: Names, taken: socket.socket) -> None:
    while True:
        try:
            wire, client = taken.recvfrom(4096)
        except OSError:
            return
        if not wire:
            return
        answer = names.answer(wire)
        if answer is not None:
            taken.sendto(answer, client)


@contextmanager
def serving() -> Iterator[Names]:
    """Run the server, and let every name be asked of it; addresses are what they are without it."""
    names = Names()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        names.port = taken.getsockname()[1]
        thread = Thread(target=_serve, args=(names, taken), daemon=True)
        thread.start()
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers = ["127.0.0.1"]
        resolver.port = names.port
        resolver.lifetime = _SILENCE_SECONDS
        resolver.use_edns(0, payload=4096)
        dns.resolver.override_system_resolver(resolver)
        try:
            yield names
        finally:
            dns.resolver.restore_system_resolver()
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stop:
                stop.sendto(b"", ("127.0.0.1", names.port))
            thread.join()
