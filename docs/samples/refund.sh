#!/bin/sh
# Refund $2 of the invoice $1; $3 is your own id of the refund.
set -eu
curl -sS -u "$ACCOUNT_ID:$API_KEY" "$API_URL/payment-invoices/$1/refund" \
  -H 'Content-Type: application/json' \
  -d '{"data": {"type": "refund", "attributes": {"reference_id": "'"$3"'", "amount": '"$2"'}}}'
