// With fifty of 12 MB at once.
process.env.TEST_IN_FULL = '1'
await import('../routes/webhooks.test.js')
