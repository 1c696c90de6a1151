import type { MonitorState } from '../state.js'

/** A key that this page was given, and the one instance that it opens; empty where there is none. */
export interface Access {
  readonly key: string
  readonly only: string
}

/** An answer of the server that is an error. */
export class Refused extends Error {
  readonly status: number
  readonly code: string | undefined

  constructor (status: number, { code, message }: { code?: string, message?: string }) {
    super(message ?? String(status))
    this.status = status
    this.code = code
  }
}

const headers = ({ key }: Access): Record<string, string> => key === '' ? {} : { apikey: key }

async function call (url: string, access: Access, init: RequestInit = {}): Promise<unknown> {
  const response = await fetch(url, { ...init, headers: { ...headers(access), ...init.headers } })
  const body = await response.json().catch(() => ({})) as object
  if (!response.ok) throw new Refused(response.status, body)
  return body
}

export async function readState (access: Access): Promise<MonitorState> {
  const query = access.only === '' ? '' : `?${String(new URLSearchParams({ instance: access.only }))}`
  return await call(`state${query}`, access) as MonitorState
}

/** Sets an instance by the plugin's own route. */
export async function setInstance (access: Access, prefix: string, name: string, config: object): Promise<void> {
  await call(`${prefix}/instance/${encodeURIComponent(name)}/websocket`, access, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(config)
  })
}
