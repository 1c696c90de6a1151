// The search for keys in what servers log, which CI runs around all tests.
await import('../log-keys.test.js')
