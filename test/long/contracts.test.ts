// With every broken log, and not one for each promise.
process.env.TEST_IN_FULL = '1'
await import('../contracts/all.js')
