import t, { type Test } from 'tap'
import { caddyDirectory, startCaddy, withoutCaddy } from '../helpers/caddy.js'
import { nginxDirectory, startNginx, withoutNginx } from '../helpers/nginx.js'
import { freePort } from '../helpers/program.js'
import { startServer } from '../helpers/server.js'

// Proxies that compress event streams, whatever `no-transform` says. `X-Accel-Buffering: no` makes nginx flush what it
// has compressed after each part: without that header it keeps events until its buffer is full. Caddy 2.6 has nothing
// of the kind, and must be told to leave them alone.

const nginx = (listens: number, port: number): string => `
server {
  listen 127.0.0.1:${listens};
  gzip on;
  gzip_types text/event-stream;
  gzip_proxied any;
  location / {
    proxy_pass http://127.0.0.1:${port};
    proxy_http_version 1.1;
    proxy_set_header Connection '';
  }
}
`

const caddy = (listens: number, port: number): string => `{
  admin off
  auto_https off
}
http://127.0.0.1:${listens} {
  bind 127.0.0.1
  @others not header Accept *text/event-stream*
  encode @others gzip
  reverse_proxy 127.0.0.1:${port}
}
`

const HEADERS = { accept: 'text/event-stream', 'accept-encoding': 'gzip' }
type Start = (t: Test, listens: number, port: number) => Promise<void>

async function play (t: Test, start: Start, encoding: string | null): Promise<void> {
  const options = { apikey: 'key', trustProxy: '127.0.0.1', defaultConfig: { enabled: true } }
  const { fastify: { wsEvents }, port } = await startServer(t, options, {
    before: fastify => {
      fastify.get('/host', async (request, reply) => await reply.type('text/event-stream').send(`data: ${'x'.repeat(1000)}\n\n`))
    }
  })
  const listens = await freePort()
  await start(t, listens, port)
  const proxied = `http://127.0.0.1:${listens}`
  const other = await fetch(`${proxied}/host`, { headers: { 'accept-encoding': 'gzip' } })
  t.equal(other.headers.get('content-encoding'), 'gzip', 'it compresses a stream of the host')
  await other.body?.cancel()
  const ended = new AbortController()
  t.teardown(() => { ended.abort() })
  const stream = await fetch(`${proxied}/instance/acme/events`, { headers: { ...HEADERS, apikey: 'key' }, signal: ended.signal })
  t.equal(stream.status, 200)
  t.equal(stream.headers.get('content-encoding'), encoding)
  const reader = stream.body?.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  const until = async (part: string): Promise<void> => {
    while (!text.includes(part)) {
      const { done, value = '' } = await reader?.read() ?? { done: true }
      if (done) throw new Error(`the stream ended with ${text}`)
      text += value
    }
  }
  await until('event: ws.ready')
  for (const data of ['first', 'second', 'third']) {
    await wsEvents.emit('acme', 'call', data)
    // Nothing that could push it out is emitted until it is here.
    await until(data)
  }
  t.match(text, /first[^]*second[^]*third/)
}

t.test('behind an nginx that compresses event streams, each event arrives at once', { skip: withoutNginx }, async t => {
  await play(t, async (t, listens, port) => { await startNginx(t, nginxDirectory(t), nginx(listens, port), listens) }, 'gzip')
})

t.test('behind a Caddy that compresses all but event streams, each event arrives at once', { skip: withoutCaddy }, async t => {
  await play(t, async (t, listens, port) => { await startCaddy(t, caddyDirectory(t), caddy(listens, port), listens) }, null)
})
