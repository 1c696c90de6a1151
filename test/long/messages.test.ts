// Messages of 32 MiB on every store; in `npm test` in memory alone.
process.env.TEST_IN_FULL = '1'
await import('../limits/message.test.js')
