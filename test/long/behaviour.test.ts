// Every row of the table of docs/behaviour.md, of which `npm test` plays one way in for each thing that happens.
process.env.TEST_IN_FULL = '1'
await import('../behaviour/behaviour.test.js')
