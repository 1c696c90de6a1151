import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What is wrong with the double. */
export type Fault =
  | 'none'
  /** Its guard then answers 401 for good keys, too. */
  | 'database away'
  /** It answers 500. */
  | 'broken'
  /** A proxy answers in its place. */
  | 'a page'
  /** It answers with what is no answer of Evolution's: JSON of somebody else. */
  | 'another program'
  /** It takes the question, and never answers. */
  | 'silent'
  /** It sends to another host. */
  | 'redirect'
  /** It ends the connection. */
  | 'cut'

/**
 * Stands for an Evolution API 2.3.7, as far as keys go: what its two routes answer to a global key, to the token of an
 * instance, and to anything else.
 */
export class EvolutionDouble {
  fault: Fault = 'none'
  /** It takes so long for an answer, in ms. */
  latency = 0
  /** Each question, as method and path. */
  readonly asked: string[] = []
  /** Of questions that came at once. */
  mostAtOnce = 0
  #atOnce = 0
  readonly #globalKey: string
  /** Names, with tokens. */
  readonly tokens: Map<string, string>
  readonly #server: Server

  constructor (globalKey: string, tokens: Readonly<Record<string, string>>) {
    this.#globalKey = globalKey
    this.tokens = new Map(Object.entries(tokens))
    this.#server = createServer((request, response) => { this.#answer(request, response) })
  }

  async listen (port = 0, host = '127.0.0.1'): Promise<string> {
    this.#server.listen(port, host)
    await once(this.#server, 'listening')
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async close (): Promise<void> {
    if (!this.#server.listening) return
    this.#server.close()
    this.#server.closeAllConnections()
    await once(this.#server, 'close')
  }

  #answer (request: IncomingMessage, response: ServerResponse): void {
    const { method = '', url = '', headers } = request
    this.asked.push(`${method} ${url}`)
    this.mostAtOnce = Math.max(this.mostAtOnce, ++this.#atOnce)
    const send = (status: number, body: unknown) => {
      this.#atOnce--
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    }
    switch (this.fault) {
      case 'cut': request.socket.destroy(); return
      case 'silent': return
      case 'broken': send(500, { status: 500, error: 'Internal Server Error', response: { message: 'Internal server error' } }); return
      case 'a page': response.writeHead(404, { 'content-type': 'text/html' }).end('<h1>404</h1>'); return
      case 'another program': send(401, { statusCode: 401, error: 'Unauthorized', message: 'no' }); return
      case 'redirect': response.writeHead(302, { location: `http://localhost:${request.socket.localPort}/elsewhere` }).end('{}'); return
      default: setTimeout(() => { this.#serve(url, String(headers.apikey ?? ''), send) }, this.latency)
    }
  }

  #serve (url: string, apikey: string, send: (status: number, body: unknown) => void): void {
    const refuse = () => { send(401, { status: 401, error: 'Unauthorized', response: { message: 'Unauthorized' } }) }
    const isGlobal = apikey === this.#globalKey
    const [, name] = /^\/instance\/connectionState\/([^/?]+)$/.exec(url) ?? []
    if (name !== undefined) {
      const instance = decodeURIComponent(name)
      const token = this.tokens.get(instance)
      // Before the key is looked at.
      if (token === undefined) send(404, { status: 404, error: 'Not Found', response: { message: [`The "${instance}" instance does not exist`] } })
      else if (isGlobal || (this.fault === 'none' && apikey === token)) send(200, { instance: { instanceName: instance, state: 'close' } })
      else refuse()
      return
    }
    if (url === '/instance/fetchInstances') {
      const names = [...this.tokens].filter(([, token]) => isGlobal || apikey === token).map(([name]) => name)
      if (this.fault === 'database away') {
        if (isGlobal) send(500, { status: 500, error: 'Internal Server Error', response: { message: 'Internal server error' } })
        else refuse()
      } else if (names.length === 0 && !isGlobal) refuse()
      else send(200, names.map(name => ({ id: name, name, connectionStatus: 'open', token: apikey })))
      return
    }
    if (url === '/') send(200, { status: 200, message: 'Welcome', version: '2.3.7' })
    else send(404, { status: 404, error: 'Not Found', response: { message: [`Cannot GET ${url}`] } })
  }
}
