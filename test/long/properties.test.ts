// With the runs that `npm test` has no time for.
process.env.TEST_IN_FULL = '1'
await import('../gateway/delivery.property.test.js')
