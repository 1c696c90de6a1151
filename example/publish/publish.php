<?php
// Publishes events with PHP: URL=http://localhost:8080 APIKEY=… php publish.php acme

/** Sends a message, or a list of up to 1,000. The same key within 60 minutes is one event. */
function publish(string $instance, array $messages, string $idempotencyKey): array
{
    $url = (getenv('URL') ?: 'http://localhost:8080') . '/instance/' . rawurlencode($instance) . '/events';
    $context = stream_context_create(['http' => [
        'method' => 'POST',
        'header' => implode("\r\n", [
            'content-type: application/json',
            'apikey: ' . getenv('APIKEY'),
            "idempotency-key: $idempotencyKey",
        ]),
        'content' => json_encode($messages, JSON_THROW_ON_ERROR),
        'ignore_errors' => true,
        'timeout' => 30,
    ]]);
    $answer = file_get_contents($url, false, $context);
    if ($answer === false) {
        throw new RuntimeException("no answer from $url");
    }
    $result = json_decode($answer, true, 512, JSON_THROW_ON_ERROR);
    if (isset($result['statusCode'])) {
        throw new RuntimeException("$result[statusCode]: $result[message]");
    }
    return $result;
}

print_r(publish($argv[1] ?? 'acme', [
    ['event' => 'messages.upsert', 'data' => ['text' => 'hello from PHP']],
    ['event' => 'presence.update', 'data' => ['state' => 'composing']],
], 'order-18'));
