import type { Serializable } from 'node:child_process'

/** What a child process answers to, by name. Each takes one argument. */
export type Api = Readonly<Record<string, (params: never) => unknown>>

export interface Call {
  readonly id: number
  readonly method: string
  readonly params: unknown
}

export interface Answer {
  readonly id: number
  readonly result?: unknown
  readonly error?: string
}

/** Answers the calls of the process that started this one, and ends with it. */
export function serve (api: Api): void {
  const answer = (message: Answer): void => { process.send?.(message as Serializable) }
  process.on('message', ({ id, method, params }: Call) => {
    void call(api, method, params).then(
      result => { answer({ id, result }) },
      (error: unknown) => { answer({ id, error: error instanceof Error ? error.stack ?? error.message : String(error) }) })
  })
  process.on('disconnect', () => { process.exit() })
}

async function call (api: Api, method: string, params: unknown): Promise<unknown> {
  const handler = api[method]
  if (handler === undefined) throw new Error(`there is no method ${method}`)
  return await handler(params as never)
}
