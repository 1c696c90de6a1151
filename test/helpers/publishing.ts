import type { TestServer } from './server.js'

/** An answer of a route that takes events. */
export interface Answer {
  readonly status: number
  readonly headers: Headers
  /** JSON. */
  readonly body: Record<string, unknown> & { readonly code?: string, readonly message?: string }
}

export const json = { 'content-type': 'application/json' }

/** Posts a body as JSON, or a text as it is. */
export async function post ({ url }: Pick<TestServer, 'url'>, path: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer> {
  const response = await fetch(url + path, { method: 'POST', headers: { ...json, ...headers }, body: typeof body === 'string' ? body : JSON.stringify(body) })
  return { status: response.status, headers: response.headers, body: await response.json() as Answer['body'] }
}

/** What is told of an answer: its status, and its code without the prefix. */
export const wordOf = ({ status, body: { code = '' } }: Answer): string => `${status} ${code.replace('FST_ERR_WS_EVENTS_', '')}`.trim()

/** `Authorization: Basic`, as a client makes it of a URL. */
export const basic = (password: string): Record<string, string> => ({ authorization: `Basic ${Buffer.from(`evolution:${password}`).toString('base64')}` })
