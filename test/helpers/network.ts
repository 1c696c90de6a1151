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

/** Closed when the test ends. */
export async function startNetwork (t: Scope, port: number): Promise<Network> {
  const upstreams = new Set<Socket>()
  let isStalled = false
  const server = createServer(client => {
    const upstream = connect(port, '127.0.0.1')
    upstreams.add(upstream)
    client.pipe(upstream)
    upstream.on('data', bytes => { client.write(bytes) })
    if (isStalled) upstream.pause()
    for (const end of [client, upstream]) {
      // That it is broken is told by its end.
      end.on('error', () => { end.destroy() })
      end.on('close', () => {
        upstreams.delete(upstream)
        client.destroy()
        upstream.destroy()
      })
    }
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
