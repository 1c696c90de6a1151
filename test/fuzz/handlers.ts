import { Type } from '@sinclair/typebox'
import { errors } from '../../lib/errors.js'
import type { WsEvents } from '../../lib/index.js'

/** What is thrown is not always an error. */
const NOTHING = undefined as unknown as Error

/** What handlers may return or throw that nobody expects. */
const ODD: ReadonlyArray<() => unknown> = [
  () => undefined,
  () => null,
  () => 10n,
  () => Symbol('odd'),
  () => () => 1,
  () => Buffer.from('odd'),
  () => new Map(),
  () => { const value: Record<string, unknown> = {}; value.value = value; return value },
  () => ({ toJSON () { throw new Error('toJSON') } }),
  () => { let value: unknown = 1; for (let level = 0; level < 10_000; level++) value = [value]; return value },
  () => ({ then () { throw new Error('then') } }),
  () => Promise.reject(new TypeError('rejected')),
  () => { throw Object.assign(new Error('coded'), { code: 'FST_ERR_WS_EVENTS_FORBIDDEN', statusCode: 'x' }) },
  () => { throw NOTHING }
]

/** Handlers of all kinds, good and odd. */
export function addHandlers (wsEvents: WsEvents): void {
  let turn = 0
  wsEvents.handle('echo', { handler: ({ data }) => data })
  wsEvents.handle('checked', { schema: Type.Object({ a: Type.Array(Type.Integer()) }), handler: ({ data }) => data.a.length })
  wsEvents.handle('throws', { handler: () => { throw new Error('the handler is broken') } })
  wsEvents.handle('slow', { timeout: 50, handler: async () => { await new Promise(resolve => { setTimeout(resolve, 100) }) } })
  wsEvents.handle('odd', { handler: () => ODD[turn++ % ODD.length]?.() })
  wsEvents.handle('coded', { handler: ({ instance }) => { throw new errors.FORBIDDEN(String(instance)) } })
}
