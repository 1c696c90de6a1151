import type { Message } from '../../types.js'
import type { Position } from '../position.js'
import type { MonitorState } from '../state.js'

/** A key that this page was given, and the one instance that it opens; empty where there is none. */
export interface Access {
  readonly key: string
  readonly only: string
}

/** An answer of the server that is an error. */
export class Refused extends Error {
  readonly status: number
  /** Without its prefix; empty where the server gave none. */
  readonly code: string

  constructor (status: number, { code = '', message }: { code?: string, message?: string }) {
    super(message ?? String(status))
    this.status = status
    this.code = code.replace('FST_ERR_WS_EVENTS_', '')
  }
}

export interface HistoryPage {
  readonly recovered: boolean | null
  readonly events: readonly Message[]
  readonly lastEventId: string
  readonly more: boolean
}

async function call (url: string, { key }: Access, init: RequestInit = {}): Promise<unknown> {
  const headers = { ...key !== '' && { apikey: key }, ...init.headers as Record<string, string> }
  const response = await fetch(url, { ...init, headers })
  if (response.status === 204) return null
  const body = await response.json().catch(() => ({})) as object
  if (!response.ok) throw new Refused(response.status, body)
  return body
}

/** The routes that the page asks, with the key that it has. */
export class Api {
  readonly access: Access

  constructor (access: Access) {
    this.access = access
  }

  async state (instance = this.access.only): Promise<MonitorState> {
    const query = instance === '' ? '' : `?${String(new URLSearchParams({ instance }))}`
    return await call(`state${query}`, this.access) as MonitorState
  }

  /** Where a page of history begins. */
  async position (instance: string | null, where: { since: number } | { before: string }): Promise<Position> {
    const query = new URLSearchParams(instance === null ? {} : { instance })
    for (const [name, value] of Object.entries(where)) query.set(name, String(value))
    return await call(`position?${String(query)}`, this.access) as Position
  }

  async page (prefix: string, instance: string | null, after: string, limit: number): Promise<HistoryPage> {
    const query = new URLSearchParams({ after, limit: String(limit) })
    const headers = { accept: 'application/json' }
    return await call(`${eventsPath(prefix, instance)}?${String(query)}`, this.access, { headers }) as HistoryPage
  }

  /** Sets an instance by the plugin's own route. */
  async set (prefix: string, name: string, config: object): Promise<void> {
    await call(`${prefix}/instance/${encodeURIComponent(name)}/websocket`, this.access, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(config)
    })
  }

  async disconnect (instance: string): Promise<void> {
    await call(`disconnect?${String(new URLSearchParams({ instance }))}`, this.access, { method: 'POST' })
  }
}

export const eventsPath = (prefix: string, instance: string | null): string =>
  instance === null ? `${prefix}/events` : `${prefix}/instance/${encodeURIComponent(instance)}/events`
