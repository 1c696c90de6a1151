// With each setting's document in both shapes.
process.env.TEST_IN_FULL = '1'
await import('../asyncapi/all.js')
