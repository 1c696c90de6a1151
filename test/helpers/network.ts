import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import type { Scope } from './server.js'

/** A network between clients and a server. */
export interface Network {
  readonly url: string
  /** Brings nothing to the clients any more. */
  stall (): void
  flow (): void
  /** Ends every connection on both sides, as a network does that goes away. */
  cut (): void
}

/** How often a slow network brings something, in ms. */
const PERIOD = 10

/** Brings what a connection has at so many bytes a second, by reading no more of it. */
function bringSlowly (from: Socket, to: Socket, bytesPerSecond: number): void {
  // More would wait in this process, and be read as far as the server can tell.
  const most = Math.ceil(bytesPerSecond * PERIOD / 1000)
  from.on('readable', () => {})
  const timer = setInterval(() => {
    const chunk: unknown = from.read(Math.min(from.readableLength, most))
    if (chunk instanceof Buffer) to.write(chunk)
  }, PERIOD)
  from.once('close', () => { clearInterval(timer) })
}

/** Closed when the test ends. @param bytesPerSecond to each client; left out: as many as it reads */
export async function startNetwork (t: Scope, port: number, bytesPerSecond?: number): Promise<Network> {
  const upstreams = new Set<Socket>()
  let isStalled = false
  const server = createServer(client => {
    const upstream = connect(port, '127.0.0.1')
    upstreams.add(upstream)
    client.pipe(upstream)
    if (bytesPerSecond === undefined) upstream.on('data', bytes => { client.write(bytes) })
    else bringSlowly(upstream, client, bytesPerSecond)
    if (isStalled) upstream.pause()
    for (const end of [client, upstream]) {
      // That it is broken is told by its end.
      end.on('error', () => { end.destroy() })
    }
    client.on('close', () => { upstream.destroy() })
    upstream.on('close', () => {
      upstreams.delete(upstream)
      // What the server had sent before it ended is still on its way.
      if (upstream.readableEnded) client.destroySoon()
      else client.destroy()
    })
  })
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
  t.teardown(() => {
    for (const upstream of upstreams) upstream.destroy()
    server.close()
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stall: () => {
      isStalled = true
      for (const upstream of upstreams) upstream.pause()
    },
    flow: () => {
      isStalled = false
      for (const upstream of upstreams) upstream.resume()
    },
    cut: () => {
      for (const upstream of upstreams) upstream.destroy()
    }
  }
}
