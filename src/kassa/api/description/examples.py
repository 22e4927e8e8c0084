"""The requests and answers in the description."""

import json
from importlib.resources import files
from typing import Any


def load(name: str) -> dict[str, Any]:
    """Return an example."""
    found: dict[str, Any] = json.loads((files("kassa.api.description") / "examples" / f"{name}.json").read_bytes())
    return found


def page(name: str) -> dict[str, Any]:
    """Return the page of a list whose one row is an example."""
    row = load(name)["data"]
    meta = {"count": 1, "size": 20, "before": row["id"], "after": row["id"]}
    return {"meta": meta, "links": {"prev": "", "next": ""}, "data": [row]}


def refunded(name: str, request: str) -> dict[str, Any]:
    """Return an example invoice after the refund of an example request."""
    found, sent = load(name), load(request)["data"]["attributes"]
    shown = found["data"]["attributes"]
    done = shown["updated"] + 3600
    shown |= {
        "status": "partially_refunded",
        "refunded_amount": sent["amount"],
        "refunded_fee": 0,
        "refunded": done,
    }
    shown["updated"] = done + 1
    refund = {"id": "ref_HeSWnW3xkQ0bZt7a", **sent, "currency": shown["currency"], "status": "refunded"}
    refund |= {"refunded_amount": sent["amount"], "fee": 0}
    shown["refunds"] = [{**refund, "resolution": "ok", "created": done, "updated": done}]
    return found
