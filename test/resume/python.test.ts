import { spawnSync } from 'node:child_process'
import t, { type Test } from 'tap'
import { losesNothing } from '../helpers/cuts.js'
import { atPort, block, folder, read, section } from '../helpers/documents.js'
import { eventually } from '../helpers/latch.js'
import { Program } from '../helpers/program.js'
import { startServer } from '../helpers/server.js'

const README = read('README.md')
const MODULES = 'socketio, requests, websocket, aiohttp'

/** A Python that has Socket.IO's client. The first on the PATH may be another one than the system's packages are for. */
const python = ['python3', '/usr/bin/python3'].find(command => spawnSync(command, ['-c', `import ${MODULES}`]).status === 0)
const MISSING = `no python3 has ${MODULES}: apt-get install python3-socketio python3-requests python3-websocket python3-aiohttp (Debian), or pip install "python-socketio[client,asyncio_client]"`
const skip = python === undefined && MISSING

function runPython (t: Test, code: string): Program {
  const directory = folder(t, [['client.py', code]])
  return new Program(t, python ?? '', ['client.py'], { cwd: directory, env: { PYTHONUNBUFFERED: '1' } })
}

t.test('the README\'s client in Python gets events, with its key', { skip }, async t => {
  const { fastify, port } = await startServer(t, { apikey: 'KEY', defaultConfig: { enabled: true } })
  const program = runPython(t, atPort(block(section(README, '### Python'), 'python'), port))
  await program.whileItRuns(eventually(() => fastify.wsEvents.stats().clients.inInstances === 1))
  await fastify.wsEvents.emit('acme', 'messages.upsert', 'hello')
  await program.printed(lines => lines.length > 0)
  t.strictSame(program.lines, ['hello'])
})

t.test('the README\'s client in Python resumes with nothing missing', { skip }, async t => {
  await losesNothing(t, port => runPython(t, atPort(block(section(README, '#### In Python'), 'python'), port)))
})
