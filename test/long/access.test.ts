// Every cell of the tables that `npm test` takes samples of.
process.env.TEST_IN_FULL = '1'
await import('../access-matrix.test.js')
await import('../access/origins.test.js')
