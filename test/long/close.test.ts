// With a crowd; in `npm test` with a few clients.
process.env.TEST_IN_FULL = '1'
await import('../close.test.js')
