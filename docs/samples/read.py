"""Print the id and status of the invoice of the order sys.argv[1]."""

import os
import sys

import requests

answer = requests.get(
    os.environ["API_URL"] + "/payment-invoices",
    auth=(os.environ["ACCOUNT_ID"], os.environ["API_KEY"]),
    params={"filter[reference_id]": sys.argv[1]},
    timeout=30,
)
if answer.status_code == 404:
    sys.exit("This order has no invoice: it is safe to create it.")
answer.raise_for_status()
(invoice,) = answer.json()["data"]
print(invoice["id"], invoice["attributes"]["status"])
