import type { OnceRequest, OnceResult } from '../../log/event-log.js'
import type { TableKeys } from './keys.js'
import { idAt } from './position.js'

/** A request with an idempotency key, as the script takes it. */
export interface KeyedRequest {
  readonly request: OnceRequest
  readonly table: TableKeys
  /** Of each event of the request, whether a stream wants it: those that none wants are not sent. */
  readonly wanted: readonly boolean[]
}

export type RequestResult = OnceResult

/** The arguments of a request, but for the number of its table's keys. */
export function argumentsOf ({ request, wanted }: KeyedRequest): string[] {
  const { table, key, fingerprint, answer, replaces = false, fence } = request
  const kept = [wanted.map(Number).join(''), JSON.stringify(fingerprint), answer].join('\n')
  return [
    key, kept, String(table.maxKeys), String(table.maxAge), replaces ? '1' : '', fence?.key ?? '', fence?.after ?? ''
  ]
}

/** What became of a request, as the script has told it. */
export function resultOf ({ request }: KeyedRequest, outcome: string, row: string): RequestResult {
  if (outcome === 'fenced') return { outcome }
  if (outcome === 'full' || row === '') return { outcome: 'full' }
  const [head = '', wanted = '', fingerprint = '', ...answer] = row.split('\n')
  if (outcome === 'known' && fingerprint !== JSON.stringify(request.fingerprint)) return { outcome: 'conflict' }
  const [, epoch = '', position = ''] = head.split(' ')
  let offset = 0
  const ids = [...wanted].map(digit => digit === '1' ? idAt(position, epoch, offset++) : null)
  return { outcome: outcome === 'done' ? 'appended' : 'repeated', ids, answer: answer.join('\n') }
}
