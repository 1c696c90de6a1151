// With as many clients, names and events as `npm test` has no time for.
process.env.TEST_IN_FULL = '1'
await import('../traps.test.js')
await import('../resume/edges.test.js')
