import { Agent as HttpAgent, type IncomingMessage, request as httpRequest } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { type Transport, transports } from '../helpers/client.js'
import { openClient, outcomeOf, shortCode } from '../helpers/outcome.js'

/** How somebody comes. */
export interface Way {
  /** The address that it comes from; left out: 127.0.0.1. */
  readonly from?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly apikey?: string
}

/** Of the server or the proxy. */
export interface Target {
  readonly url: string
  /** The certificate that it shows, where it speaks TLS. */
  readonly ca?: string | undefined
}

type Agent = HttpAgent | HttpsAgent

/** Makes every connection from one address. */
function agentFor ({ url, ca }: Target, from = '127.0.0.1'): Agent {
  return url.startsWith('https:') ? new HttpsAgent({ localAddress: from, ca }) : new HttpAgent({ localAddress: from })
}

/** `in`, or the short code, of a request to the route of acme. */
async function callRoute ({ url }: Target, agent: Agent, { headers = {}, apikey }: Way): Promise<string> {
  const request = url.startsWith('https:') ? httpsRequest : httpRequest
  const outgoing = request(`${url}/instance/acme/websocket`, { agent, headers: { ...headers, ...(apikey !== undefined && { apikey }) } })
  outgoing.end()
  const [response] = await once(outgoing, 'response') as [IncomingMessage]
  const body = await text(response)
  return response.statusCode === 200 ? 'in' : shortCode((JSON.parse(body) as { code?: string }).code ?? String(response.statusCode))
}

/** `in`, or the short code, of a client. */
async function openAcme ({ url }: Target, agent: Agent, transport: Transport, { headers, apikey }: Way): Promise<string> {
  const socket = openClient(`${url}/acme`, transport, {
    // Its type is that of a browser's, which has none.
    agent: agent as never,
    ...(headers !== undefined && { extraHeaders: { ...headers } }),
    ...(apikey !== undefined && { auth: { apikey } })
  })
  const { word } = await outcomeOf(socket)
  socket.disconnect()
  return word
}

/**
 * Somebody comes to acme over both transports and to its route.
 *
 * @param kinds over which to come; left out: all three
 * @returns one word, as all must agree; else the words of each
 */
export async function attempt (target: Target, way: Way, kinds: ReadonlyArray<Transport | 'route'> = [...transports, 'route']): Promise<string> {
  const agent = agentFor(target, way.from)
  const words = await Promise.all(kinds.map(async kind => kind === 'route' ? await callRoute(target, agent, way) : await openAcme(target, agent, kind, way)))
  return words.every(word => word === words[0]) ? words[0] ?? '' : words.map((word, index) => `${word} by ${kinds[index]}`).join(', ')
}
