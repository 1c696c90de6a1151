import t from 'tap'
import { startServer } from '../helpers/server.js'

t.test('a query that begins with a semicolon is not logged either', async t => {
  const lines: string[] = []
  const logger = { level: 'debug', stream: { write: (line: string) => { lines.push(line) } } }
  const fastify = { logger, useSemicolonDelimiter: true }
  const { url } = await startServer(t, { apikey: 'good' }, { fastify })
  for (const delimiter of ['?', ';']) {
    const response = await fetch(`${url}/instance/acme/websocket${delimiter}apikey=a-key-of-many-letters`)
    t.equal(response.status, 401, 'it counts for nothing')
  }
  t.equal(lines.filter(line => line.includes('/instance/acme/websocket')).length, 2)
  t.notOk(lines.some(line => line.includes('a-key-of-many-letters')))
})
