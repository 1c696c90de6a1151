import t from 'tap'
import { losesNothing } from '../helpers/cuts.js'
import { atPort, block, read, section } from '../helpers/documents.js'
import { eventually } from '../helpers/latch.js'
import { runPython, withoutPython as skip } from '../helpers/python.js'
import { startServer } from '../helpers/server.js'

t.test('the documented client in Python gets events, with its key', { skip }, async t => {
  const { fastify, port } = await startServer(t, { apikey: 'KEY', defaultConfig: { enabled: true } })
  const program = runPython(t, atPort(block(section(read('docs/clients.md'), '## Python'), 'python'), port))
  await program.whileItRuns(eventually(() => fastify.wsEvents.stats().clients.inInstances === 1))
  await fastify.wsEvents.emit('acme', 'messages.upsert', 'hello')
  await program.printed(lines => lines.length > 0)
  t.strictSame(program.lines, ['hello'])
})

t.test('the documented client in Python resumes with nothing missing', { skip }, async t => {
  await losesNothing(t, port => runPython(t, atPort(block(section(read('docs/resume.md'), '## In Python'), 'python'), port)))
})
