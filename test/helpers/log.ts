import { Writable } from 'node:stream'
import type { FastifyServerOptions } from 'fastify'

/** A line of the log, as pino writes it. */
export interface LogLine {
  readonly level: number
  readonly msg: string
  readonly [key: string]: unknown
}

/** Options for Fastify that keep its log in `lines`. */
export function recordLog (level = 'info'): { lines: LogLine[], fastify: FastifyServerOptions } {
  const lines: LogLine[] = []
  const stream = new Writable({
    write (chunk: Buffer, encoding, done) {
      for (const line of chunk.toString().split('\n').filter(text => text !== '')) lines.push(JSON.parse(line) as LogLine)
      done()
    }
  })
  return { lines, fastify: { logger: { level, stream } } }
}
