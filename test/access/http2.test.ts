import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:http2'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import type { WsEventsOptions } from '../../lib/index.js'
import { startHost } from '../upgrades/helpers/host.js'
import { type Certificate, makeCertificate, withoutOpenssl } from './certificate.js'

// HTTP/2 has no Host: what counts is :authority.

const skip = withoutOpenssl

function certificateOf (t: Test): Certificate {
  const directory = mkdtempSync(join(tmpdir(), 'http2-'))
  t.teardown(() => { rmSync(directory, { recursive: true }) })
  return makeCertificate(directory)
}

/** `ask` asks for a page, and resolves to the status and the code of the answer. */
async function start (t: Test, options: WsEventsOptions): Promise<{ port: number, ask: (headers: object) => Promise<string> }> {
  const certificate = certificateOf(t)
  const { port } = await startHost(t, { certificate, http2: true, options: { defaultConfig: { enabled: true }, ...options } })
  const session = connect(`https://127.0.0.1:${port}`, { ca: certificate.ca })
  t.teardown(() => { session.close() })
  const ask = async (headers: object): Promise<string> => {
    const stream = session.request({ ':path': '/instance/acme/events?limit=1', accept: 'application/json', ...headers })
    const status = new Promise<number>(resolve => { stream.once('response', head => { resolve(Number(head[':status'])) }) })
    const { code = '' } = JSON.parse(await text(stream)) as { code?: string }
    return `${await status} ${code.replace('FST_ERR_WS_EVENTS_', '')}`.trim()
  }
  return { port, ask }
}

t.test('over HTTP/2, too, a page of the server itself is no foreign page, and others are', { skip }, async t => {
  const { port, ask } = await start(t, {})
  const asking = { ':authority': `localhost:${port}` }
  t.equal(await ask({ ...asking, origin: `https://localhost:${port}` }), '200')
  t.equal(await ask({ ...asking, origin: 'https://other.example' }), '401 UNAUTHORIZED')
})

t.test('over HTTP/2, too, a page whose name was made to resolve to this machine needs a key', { skip }, async t => {
  const { port, ask } = await start(t, {})
  t.equal(await ask({ ':authority': `localhost:${port}` }), '200')
  t.equal(await ask({ ':authority': `127.0.0.1:${port}` }), '200')
  t.equal(await ask({ ':authority': `evil.example:${port}` }), '401 UNAUTHORIZED')
})
