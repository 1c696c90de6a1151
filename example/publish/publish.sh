#!/usr/bin/env bash
# Publishes an event with curl: URL=http://localhost:8080 APIKEY=… bash publish.sh acme
set -euo pipefail

curl --silent --show-error --fail-with-body \
  --request POST "${URL:-http://localhost:8080}/instance/${1:-acme}/events" \
  --header 'content-type: application/json' \
  --header "apikey: ${APIKEY:-}" \
  --header "idempotency-key: order-17" \
  --data '{ "event": "messages.upsert", "data": { "text": "hello from curl" } }'
echo
