import pg from 'pg'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t from 'tap'
import { HostConfigStore } from '../../lib/stores/host-configs.js'
import type { HostConfigs } from '../../lib/stores/store.js'
import { configStoreSuite, type OpenConfigs } from '../contracts/index.js'
import { connect } from '../helpers/client.js'
import { atPort, block, files, folder, read, section } from '../helpers/documents.js'
import { outcomeOf } from '../helpers/outcome.js'
import { type PostgresEnv, startPostgres, withoutPostgres } from '../helpers/postgres.js'
import { freePort, Program } from '../helpers/program.js'

const EXAMPLE = section(read('docs/stores.md'), '### PostgreSQL')
const TABLE = block(EXAMPLE, 'sql')
const PROGRAMS = files(EXAMPLE)

interface Example {
  postgresConfigs: (pool: pg.Pool) => HostConfigs
}

function poolAt ({ PGHOST, PGPORT, PGUSER, PGDATABASE }: PostgresEnv, schema: string): pg.Pool {
  return new pg.Pool({ host: PGHOST, port: Number(PGPORT), user: PGUSER, database: PGDATABASE, options: `-c search_path=${schema}` })
}

t.test('configs in PostgreSQL, as the documents have them', { skip: withoutPostgres }, async t => {
  const server = await startPostgres(t)

  t.test('they keep the contract', async t => {
    const { postgresConfigs } = await import(pathToFileURL(join(folder(t, PROGRAMS), 'configs.mjs')).href) as Example
    let schemas = 0

    const openIn = (schema: string): OpenConfigs => {
      const pool = poolAt(server, schema)
      const close = async () => { await pool.end() }
      return {
        configs: new HostConfigStore(postgresConfigs(pool)),
        close,
        reopen: async () => {
          await close()
          return openIn(schema)
        }
      }
    }
    const open = async (): Promise<OpenConfigs> => {
      const schema = `s${schemas++}`
      const pool = poolAt(server, schema)
      await pool.query(`CREATE SCHEMA ${schema}`)
      await pool.query(TABLE)
      await pool.end()
      return openIn(schema)
    }
    for (const { name, run } of configStoreSuite(open)) t.test(name, run)
  })

  t.test('what was set by a route is in force when the server starts again', async t => {
    const pool = poolAt(server, 'public')
    await pool.query(TABLE)
    await pool.end()
    const port = await freePort()
    const url = `http://localhost:${port}`
    const directory = folder(t, [...PROGRAMS].map(([name, code]) => [name, name === 'server.mjs' ? atPort(code, port) : code]), ['fastify', 'fastify-ws-events', 'pg'])
    const start = async (): Promise<Program> => {
      const program = new Program(t, process.execPath, ['server.mjs'], { cwd: directory, env: server })
      await program.printed(lines => lines.some(line => line.includes('Server listening')))
      return program
    }
    const route = async (method: string, body?: object) => await fetch(`${url}/instance/acme/websocket`, {
      method,
      ...(body !== undefined && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } })
    })

    const first = await start()
    const config = { instance: 'acme', enabled: true, events: ['CALL'] }
    t.equal((await route('PUT', { enabled: true, events: ['call'] })).status, 201)
    await first.end()

    const second = await start()
    const socket = connect(t, `${url}/acme`)
    t.equal((await outcomeOf(socket)).word, 'in')
    t.strictSame(await (await route('GET')).json(), config)
    t.equal((await route('DELETE')).status, 204)
    await second.end()

    await start()
    t.equal((await outcomeOf(connect(t, `${url}/acme`))).word, 'NOT_SET')
    t.equal((await route('GET')).status, 404)
  })
})
