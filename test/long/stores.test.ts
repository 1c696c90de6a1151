// The suites of all stores with every seed.
process.env.TEST_IN_FULL = '1'
await import('../stores/memory.test.js')
await import('../stores/lmdb.test.js')
await import('../stores/redis.test.js')
await import('../stores/redis-nodes.test.js')
