"""Create an invoice for the order sys.argv[1] and print its id, status and payment page."""

import os
import sys

import requests

order = sys.argv[1]
answer = requests.post(
    os.environ["API_URL"] + "/payment-invoices",
    auth=(os.environ["ACCOUNT_ID"], os.environ["API_KEY"]),
    json={
        "data": {
            "type": "payment-invoices",
            "attributes": {
                "reference_id": order,
                "service": "payment_card_usd_hpp",
                "currency": "USD",
                "amount": "12.50",
                "test_mode": True,
                "description": "Two coffees",
                "return_url": f"https://shop.example/orders/{order}",
            },
        }
    },
    timeout=30,
)
if answer.status_code not in (201, 409):  # 409: the order has its invoice already, in data
    sys.exit(f"{answer.status_code} {answer.text}")
invoice = answer.json()["data"]
print(invoice["id"], invoice["attributes"]["status"], invoice["attributes"]["flow_data"]["action"])
