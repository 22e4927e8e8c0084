#!/bin/sh
# Print the invoice of the order $1; the status is 404 if it has none.
set -eu
curl -sS -g -u "$ACCOUNT_ID:$API_KEY" "$API_URL/payment-invoices?filter[reference_id]=$1"
