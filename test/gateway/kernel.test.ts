import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as connectTls, createServer as createTlsServer, Server as TlsServer } from 'node:tls'
import t from 'tap'
import { takenBytes } from '../../lib/gateway/kernel.js'
import { makeCertificate, withoutOpenssl } from '../access/certificate.js'
import { eventually } from '../helpers/latch.js'

// What is used of Node's sockets beyond their public properties.

t.test('Node says how much of a write the kernel has taken', { skip: withoutOpenssl }, async t => {
  const directory = mkdtempSync(join(tmpdir(), 'kernel-'))
  t.teardown(() => { rmSync(directory, { recursive: true }) })
  const { key, ca: cert } = makeCertificate(directory)
  const large = Buffer.alloc(32 * 1024 * 1024)
  for (const [server, client] of [
    [createServer(), (port: number) => connect(port, '127.0.0.1')],
    [createTlsServer({ key, cert }), (port: number) => connectTls({ port, host: '127.0.0.1', ca: cert })]
  ] as const) {
    server.listen(0, '127.0.0.1')
    t.teardown(() => { server.close() })
    await once(server, 'listening')
    const accepted = once(server, server instanceof TlsServer ? 'secureConnection' : 'connection') as Promise<[Socket]>
    const reader = client((server.address() as AddressInfo).port).pause()
    const [socket] = await accepted
    const before = takenBytes(socket)
    socket.write(large)
    const taken = () => takenBytes(socket) - before
    t.ok(taken() < large.length / 2, 'the kernel has not room for all')
    reader.resume()
    // Node says that all of it waits until the last byte is taken, or close to it under TLS.
    const half = await eventually(() => taken() > large.length / 2 && { taken: taken(), waiting: socket.writableLength })
    t.ok(half.taken >= large.length || half.waiting === large.length)
    await eventually(() => taken() >= large.length)
    reader.destroy()
    socket.destroy()
  }
})

t.test('a socket without such a handle says what its public properties say', async t => {
  t.equal(takenBytes({ bytesWritten: 100, writableLength: 30 } as Socket), 70)
  t.equal(takenBytes({ bytesWritten: 100, writableLength: 30, _handle: null } as unknown as Socket), 70)
})
