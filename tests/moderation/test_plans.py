"""Counting a payer's payments walks an index, however many others there are."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from kassa.db import pool as pools
from kassa.moderation import queries
from kassa.moderation.model import Subject, Success, VelocityRule
from tests.support import history
from tests.support.history import MERCHANT, MIDDLE
from tests.support.postgres import Database

CARD = b"\x01" * 32
INDEXES = {
    Subject.CARD: "payments_of_card",
    Subject.CUSTOMER: "invoices_of_customer",
    Subject.CLIENT_IP: "payments_of_client_ip",
}
BLOCKS_MAX = 60


def nodes(node: Any) -> Iterator[Any]:
    yield node
    for child in node.get("Plans", []):
        yield from nodes(child)


async def test_each_subject_is_counted_along_its_own_index(module_database: Database) -> None:
    async with history.written(module_database) as owner:
        await owner.execute(
            "UPDATE payments SET card_fingerprint = decode(md5(payment_id) || md5(payment_id), 'hex'),"
            " client_ip = '192.0.2.' || length(payment_id)"
        )
        await owner.execute("ANALYZE payments")
        success = Success(
            account_id=MERCHANT,
            test_mode=False,
            invoice_id="cpi_0",
            payment_id="pay_0",
            amounts={"USD": 1},
            card=CARD,
            customer_id="cus_AAAA000000000004",
            client_ip="198.51.100.7",
        )
        connections = await pools.connect(module_database.url, role="kassa_app", size=1)
        for subject, index in INDEXES.items():
            rule = VelocityRule(
                by=subject, count="attempts", more_than=1000, minutes=int(timedelta(days=31).total_seconds() // 60)
            )
            explained = await connections.fetchval(
                f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {queries.OTHERS[subject]}",
                *queries.counted(rule, success, now=MIDDLE),
            )
            plan = json.loads(explained)[0]["Plan"]
            assert index in {node.get("Index Name") for node in nodes(plan)}, subject
            assert not {node["Node Type"] for node in nodes(plan)} & {"Seq Scan", "Hash Join"}
            assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] <= BLOCKS_MAX, subject
        await pools.close(connections, seconds=5)
