import Fastify from 'fastify'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import type { Socket } from 'socket.io-client'
import { parse as parseYaml } from 'yaml'
import { report } from '../../lib/bin/migrate/report.js'
import { evolutionEvents } from '../../lib/events/evolution.js'
import { VARIABLES } from '../../lib/bin/serve/settings.js'
import { withoutOpenssl } from '../access/certificate.js'
import { deployNginx } from '../access/deployment.js'
import { admitted, connect, refused } from '../helpers/client.js'
import { files, folder, read } from '../helpers/documents.js'
import { eventually } from '../helpers/latch.js'
import { nginxDirectory, startNginx, withoutNginx } from '../helpers/nginx.js'
import { freePort, Program } from '../helpers/program.js'
import { resume } from '../helpers/resume.js'
import { startServer } from '../helpers/server.js'
import { evaluate, Screen } from './evaluate.js'
import { GETTING_STARTED } from './getting-started.js'
import { curlPublish, phpPublish, pythonPublish } from './publishing.js'
import { PAGES } from './pages.js'
import { README } from './readme.js'
import { curls } from './shell.js'
import { at, closing, commands, compiles, ioOf, runs, type Stories } from './story.js'
import { beside, TROUBLESHOOTING } from './troubleshooting.js'

const EVENT = 'messages.upsert'

/** An address of this machine that the server of a test does not listen at. */
const ELSEWHERE = '127.0.0.2'

/** The page for people who run Evolution API. */
const BESIDE_EVOLUTION: Stories = {
  '## Ten minutes': [runs((t, { code }) => {
    const [, ...variables] = [...code.matchAll(/(?:^|\s)([A-Z_]+)=/g)].map(([, name = '']) => name)
    t.strictSame(variables.filter(name => !VARIABLES.includes(name)), [])
    t.match(code, /npx fastify-ws-events serve$/m)
  }), runs((t, { code }) => {
    const changes = report('.env', {})
    for (const name of Object.keys(parseEnv(code))) t.match(changes, `${name}=`)
  })],
  // Evolution answers this one: what is checked is that it can be read, and that the receiver is ours.
  '## Which events come by which way': [runs((t, { code }) => {
    const { webhook } = JSON.parse(/-d '(.*)'$/m.exec(code)?.[1] ?? '') as { webhook: { events: string[] } }
    t.match(webhook, { enabled: true, url: 'http://localhost:8081/webhook/evolution', headers: { apikey: /PUBLI/ } })
    for (const event of webhook.events) t.ok(evolutionEvents[event.toLowerCase().replace('_', '.') as keyof typeof evolutionEvents], event)
  })],
  '## Your own Fastify instead': [runs(async (t, { code }) => {
    const { fastify: server } = await evaluate(code.replace("'lmdb:./data'", "'memory:'").replace("host: '0.0.0.0', port: 8081", "host: '127.0.0.1', port: 0"), {}, ['fastify'])
    t.equal(closing(t, server).wsEvents.mode, 'traditional')
  })]
}

/**
 * What runs each code block of each document. Whoever adds a block adds here how it is shown to be right: by a
 * function that runs it, or by the test that does. A heading may be there once in a document.
 */
export const BY_DOCUMENT: Readonly<Record<string, Stories>> = {
  'README.md': README,

  ...PAGES,

  'SECURITY.md': { '## How it is attacked': [commands] },

  'docs/asyncapi.md': {
    '# AsyncAPI': [runs(async (t, { code }) => {
      const fastify = closing(t, Fastify())
      await evaluate(`await fastify.register(wsEvents)\n${code}`, { fastify })
      t.match((await fastify.inject('/asyncapi.json')).json(), { asyncapi: '3.0.0' })
    }), runs(async (t, { code }) => {
      const { fastify } = await startServer(t)
      t.match(await evaluate(code, { fastify }, ['document']), { document: { info: { title: 'Events of Acme', version: '2.1.0' } } })
    })]
  },

  'docs/deployment.md': {
    '## The server behind a proxy': ['test/long/deployment.test.ts'],
    '## nginx': ['test/access/deployment.ts'],
    '## Caddy': ['test/access/deployment.ts'],
    '## TLS without a proxy': ['test/long/deployment.test.ts'],
    '## Check the configuration': [runs(async (t, { code }) => {
      const { port } = await startServer(t, { apikey: 'YOUR_KEY', trustProxy: '127.0.0.1' })
      const { url, certificate: { certFile } } = await deployNginx(t, port)
      await curls(t, code, { 'https://events.example.com': url }, { CURL_CA_BUNDLE: certFile })
    }, withoutNginx || withoutOpenssl), runs(async (t, { code }) => {
      const { port } = await startServer(t, { apikey: 'YOUR_KEY' })
      await curls(t, code, { 'http://events.example.com:8080': `http://${ELSEWHERE}:${port}` })
    })]
  },

  'docs/evolution.md': BESIDE_EVOLUTION,

  'docs/getting-started.md': GETTING_STARTED,

  'docs/metrics.md': {
    '## Metrics': ['test/metrics/documents.test.ts'],
    '## Tracing': ['test/metrics/documents.test.ts']
  },

  'docs/migrating-from-evolution.md': {
    "# Moving from Evolution API's WebSocket": [commands],
    '## Step by step': [runs(async (t, { code }) => {
      const isKeyOf = async (key: string, instance: string | null) => await Promise.resolve(key === `key of ${instance}`)
      const { fastify: server } = await evaluate(code, { isKeyOf }, ['fastify'])
      const fastify = closing(t, server)
      const url = await fastify.listen({ port: 0, host: '127.0.0.1' })
      for (const name of ['acme', 'beta']) await fastify.wsEvents.set(name, { enabled: true })
      await admitted(connect(t, `${url}/acme`, { query: { apikey: 'key of acme' } }))
      t.match(await refused(connect(t, `${url}/beta`, { query: { apikey: 'key of acme' } })), { code: 'FST_ERR_WS_EVENTS_FORBIDDEN' })
      t.match(await refused(connect(t, `${url}/acme`)), { code: 'FST_ERR_WS_EVENTS_UNAUTHORIZED' })
    })],
    '## Client code that stays as it is': [runs(async (t, { code }) => {
      const { fastify, url } = await startServer(t, { evolution: true, apikey: 'KEY', serverUrl: 'https://api.example.com' })
      await fastify.inject({ method: 'POST', url: '/websocket/set/acme', headers: { apikey: 'KEY' }, payload: { websocket: { enabled: true, events: [] } } })
      const screen = new Screen()
      const { socket } = await evaluate(at(url, code), { io: ioOf(t), console: screen }, ['socket'])
      await admitted(socket as Socket)
      await fastify.wsEvents.emit('acme', 'messages.upsert', 'hello', { dateTime: 0, sender: 'me' })
      await screen.shows('messages.upsert acme hello https://api.example.com 1970-01-01T00:00:00.000Z me')
    })]
  },

  'docs/monitor.md': {
    '# The monitor': [runs(async (t, { code }) => {
      const { fastify: server } = await evaluate(code.replace('8080', '0'), {}, ['fastify'])
      const fastify = closing(t, server)
      t.match(await fastify.inject('/monitor/'), { statusCode: 200, headers: { 'content-type': /^text\/html/ } })
      t.equal((await fastify.inject('/monitor/state')).statusCode, 200)
    })]
  },

  'docs/operating.md': {
    '## Alerts': [runs(async (t, { code }) => {
      const { rule_files: rules, scrape_configs: [job] } = parseYaml(code) as { rule_files: string[], scrape_configs: Array<{ authorization: { credentials: string }, static_configs: Array<{ targets: string[] }> }> }
      t.strictSame(rules, ['alerts.yml'])
      t.equal(job?.static_configs[0]?.targets.length, 2)
      // Prometheus sends this with each scrape, and `serve` takes it: as `Authorization: Bearer`.
      const address = await beside(t)
      t.equal((await fetch(`${address}/metrics`, { headers: { authorization: 'Bearer YOUR_GLOBAL_KEY' } })).status, 200)
      t.equal((await fetch(`${address}/metrics`)).status, 401)
    })]
  },

  'docs/performance.md': { '## Running it': [commands] },

  'docs/rate-limits.md': {
    '## Clients': [runs(async (t, { code }) => {
      const fastify = closing(t, Fastify())
      await evaluate(code, { fastify })
      await fastify.ready()
    })],
    '## Routes': ['test/rate-limit.test.ts']
  },

  'docs/privacy.md': {
    '### What is left in the store': [runs(async (t, { code }) => {
      const cwd = folder(t, [['compact.mjs', code]], ['lmdb'])
      const open = async (path: string) => await startServer(t, { store: `lmdb:${join(cwd, path)}`, defaultConfig: { enabled: true } })
      const has = (path: string, text: string): boolean => readFileSync(join(cwd, path, 'data.mdb')).includes(text)
      const { fastify: before } = await open('data')
      const { id } = await before.wsEvents.emit('beta', EVENT, 'first')
      for (let event = 0; event < 200; event++) await before.wsEvents.emit('acme', EVENT, 'of acme'.repeat(30))
      await before.wsEvents.emit('beta', EVENT, 'second')
      await before.wsEvents.remove('acme')
      await eventually(() => before.wsEvents.stats().log.records === 2)
      await before.close()
      t.ok(has('data', 'of acme'), 'free pages keep their bytes')
      const program = new Program(t, process.execPath, ['compact.mjs'], { cwd })
      t.equal(await program.ended, 0)
      t.notOk(has('data-new', 'of acme'))
      const { url } = await open('data-new')
      const { ready, inbox } = await resume(t, `${url}/beta`, String(id))
      t.equal(ready.recovered, true)
      const [message] = await inbox.got(1)
      t.equal(message?.data, 'second')
    })]
  },

  'docs/publishing.md': {
    '## A message, or a list': [curlPublish, phpPublish, pythonPublish]
  },

  'docs/reference.md': {
    '### EventTypes': [compiles(), compiles()]
  },

  'docs/scaling.md': {
    '## How many nodes, how many Redis': [runs(async (t, { code }) => {
      const nodes = await Promise.all(['first', 'second'].map(async node => {
        const fastify = closing(t, Fastify())
        fastify.get('/', () => node)
        const url = await fastify.listen({ port: 0, host: '127.0.0.1' })
        return `127.0.0.1:${new URL(url).port}`
      }))
      const [first = '', second = ''] = nodes
      const listens = await freePort()
      const upstream = code.replace('10.0.0.1:8080', first).replace('10.0.0.2:8080', second)
      await startNginx(t, nginxDirectory(t), `${upstream}server {\n  listen 127.0.0.1:${listens};\n  location / { proxy_pass http://nodes; }\n}\n`, listens)
      const nodeOf = async (instance: string) => await (await fetch(`http://127.0.0.1:${listens}/?instance=${instance}`)).text()
      const instances = Array.from({ length: 20 }, (none, index) => `instance-${index}`)
      const chosen = await Promise.all(instances.map(nodeOf))
      t.strictSame([...new Set(chosen)].toSorted(), ['first', 'second'], 'all nodes are taken')
      t.strictSame(await Promise.all(instances.map(nodeOf)), chosen, 'and an instance has always the same')
    }, withoutNginx)],
    '## Faults that were tried': [commands]
  },

  'docs/stores.md': {
    ...PAGES['docs/stores.md'],
    '### PostgreSQL': ['test/long/postgres-configs.test.ts', 'test/long/postgres-configs.test.ts', 'test/long/postgres-configs.test.ts'],
    '## Write your own store': [compiles('export type All = [ConfigStore, EventLog, OpenOptions, OpenStore, Store]\n')]
  },

  'docs/testing-your-app.md': {
    '# Testing your application': [runs((t, { code }) => {
      t.ok([...files(read('docs/testing-your-app.md')).values()].includes(code), 'it is one of the files that the command below runs')
    }), runs((t, { code }) => {
      t.ok([...files(read('docs/testing-your-app.md')).values()].includes(code))
    }), runs(async (t, { code }) => {
      const [program = '', ...args] = code.trim().split(' ')
      t.equal(program, 'node')
      const directory = folder(t, files(read('docs/testing-your-app.md')), ['fastify', 'fastify-ws-events', 'socket.io-client'])
      const run = new Program(t, process.execPath, [...args, '--test-reporter=tap'], { cwd: directory })
      t.equal(await run.ended, 0, run.lines.join('\n'))
      t.ok(run.lines.includes('# pass 8'))
    })],
    '## After a restart of the server': [runs((t, { code }) => {
      t.ok([...files(read('docs/testing-your-app.md')).values()].includes(code), 'it is run with the others')
    })]
  },

  'docs/troubleshooting.md': TROUBLESHOOTING
}
