"""The requests and answers that the description shows."""

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
