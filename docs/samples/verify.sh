#!/bin/sh
# Verify a callback: its body is in the file $1, its headers and the private key are in the environment.
set -eu
simple=$({ printf %s "$PRIVATE_KEY"; cat "$1"; printf %s "$PRIVATE_KEY"; } | openssl dgst -sha1 -binary | base64)
standard=$({ printf '%s.%s.' "$HTTP_WEBHOOK_ID" "$HTTP_WEBHOOK_TIMESTAMP"; cat "$1"; } |
    openssl dgst -sha256 -hmac "$PRIVATE_KEY" -binary | base64)
age=$(($(date +%s) - HTTP_WEBHOOK_TIMESTAMP))

case " $HTTP_WEBHOOK_SIGNATURE " in *" v1,$standard "*) known=yes ;; *) known=no ;; esac
if [ "$simple" != "$HTTP_X_SIGNATURE" ] || [ $known = no ] || [ ${age#-} -gt 300 ]; then
    echo "not genuine" >&2
    exit 1
fi
echo "genuine"
