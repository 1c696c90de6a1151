import { createServer, type IncomingMessage, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'

/** A proxy on this machine that adds headers to what it passes on, as nginx does when it is told to. Closed when the test ends. */
export async function startProxy (t: Test, port: number, headers: (incoming: IncomingMessage) => Record<string, string>): Promise<string> {
  const pass = (incoming: IncomingMessage) => {
    const { method, url, headers: given } = incoming
    return request({ host: '127.0.0.1', port, method, path: url, headers: { ...given, ...headers(incoming) } })
  }
  const server = createServer((incoming, answer) => {
    const onward = incoming.pipe(pass(incoming))
    onward.on('response', response => {
      answer.writeHead(response.statusCode ?? 502, response.headers)
      response.pipe(answer)
    })
    onward.on('error', () => { answer.destroy() })
    answer.on('close', () => { onward.destroy() })
  })
  server.on('upgrade', (incoming, socket, early) => {
    const onward = pass(incoming)
    onward.on('upgrade', (response, upstream, first) => {
      const lines = Object.entries(response.headers).map(([name, value]) => `${name}: ${String(value)}\r\n`).join('')
      socket.write(`HTTP/1.1 101 Switching Protocols\r\n${lines}\r\n`)
      socket.write(first)
      upstream.write(early)
      socket.pipe(upstream).pipe(socket)
      for (const end of [socket, upstream]) end.on('error', () => { socket.destroy(); upstream.destroy() })
      for (const end of [socket, upstream]) end.on('close', () => { socket.destroy(); upstream.destroy() })
    })
    onward.on('response', () => { socket.destroy() })
    onward.on('error', () => { socket.destroy() })
    onward.end()
  })
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
  t.teardown(async () => {
    server.closeAllConnections()
    await new Promise(resolve => server.close(resolve))
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
