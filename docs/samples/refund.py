"""Refund sys.argv[2] of the invoice sys.argv[1]; sys.argv[3] is your own id of the refund."""

import os
import sys

import requests

invoice_id, amount, reference_id = sys.argv[1:]
answer = requests.post(
    f"{os.environ['API_URL']}/payment-invoices/{invoice_id}/refund",
    auth=(os.environ["ACCOUNT_ID"], os.environ["API_KEY"]),
    json={"data": {"type": "refund", "attributes": {"reference_id": reference_id, "amount": amount}}},
    timeout=30,
)
if answer.status_code not in (200, 409):  # 409: this refund was asked for before
    sys.exit(f"{answer.status_code} {answer.text}")
attributes = answer.json()["data"]["attributes"]
print(attributes["status"], attributes["refunded_amount"])
