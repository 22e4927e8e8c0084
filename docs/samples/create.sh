#!/bin/sh
# Create an invoice for the order $1 and print the answer.
set -eu
curl -sS -u "$ACCOUNT_ID:$API_KEY" "$API_URL/payment-invoices" \
  -H 'Content-Type: application/json' \
  -d '{"data": {"type": "payment-invoices", "attributes": {
        "reference_id": "'"$1"'", "service": "payment_card_usd_hpp",
        "currency": "USD", "amount": 12.5, "test_mode": true,
        "description": "Two coffees",
        "return_url": "https://shop.example/orders/'"$1"'"}}}'
