"""Publishes events with Python: URL=http://localhost:8080 APIKEY=… python3 publish.py acme"""
import json
import os
import sys
import time
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import Request, urlopen

URL = os.environ.get('URL', 'http://localhost:8080')


def publish(instance, messages, idempotency_key, attempts=5):
    """Sends a message, or a list of up to 1,000. With the same key it may be repeated: it is one event."""
    request = Request(
        f'{URL}/instance/{quote(instance, safe="")}/events',
        json.dumps(messages).encode(),
        {
            'content-type': 'application/json',
            'apikey': os.environ.get('APIKEY', ''),
            'idempotency-key': idempotency_key,
        },
    )
    for attempt in range(1, attempts + 1):
        try:
            with urlopen(request, timeout=30) as response:
                return json.load(response)
        except HTTPError as error:
            # 429 and 503 say when a later try may succeed.
            retry_after = error.headers.get('retry-after')
            if retry_after is None or attempt == attempts:
                raise RuntimeError(error.read().decode()) from error
            time.sleep(int(retry_after))
        except URLError:
            # No answer: it may have been published, or not. The key makes it one event.
            if attempt == attempts:
                raise
            time.sleep(attempt)


print(publish(sys.argv[1] if len(sys.argv) > 1 else 'acme', [
    {'event': 'messages.upsert', 'data': {'text': f'hello from Python, {number}'}} for number in range(3)
], 'order-19'))
