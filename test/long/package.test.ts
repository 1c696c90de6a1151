// With the declarations, which `npm test` does not make.
process.env.TEST_IN_FULL = '1'
await import('../package.test.js')
