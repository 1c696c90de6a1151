import type { Header, HttpRequest } from '../draw/http.js'
import { bytesOf, type Part } from '../parts.js'

const LINE_END = '\r\n'

/** Chunks as they are written where the length is not said. */
function inChunks (body: Buffer, size: number): Buffer {
  const chunks: Buffer[] = []
  // A large body byte by byte would be a test of nothing but patience.
  const step = Math.max(size, Math.ceil(body.length / 200))
  for (let at = 0; at < body.length; at += step) {
    const chunk = body.subarray(at, at + step)
    chunks.push(Buffer.from(chunk.length.toString(16) + LINE_END), chunk, Buffer.from(LINE_END))
  }
  return Buffer.concat([...chunks, Buffer.from(`0${LINE_END}${LINE_END}`)])
}

/** The bytes of a request, with the headers that make it whole. */
export function requestBytes ({ method, url, headers, body, chunk }: HttpRequest, newestId: string): Buffer {
  const bytes = (parts: readonly Part[]) => bytesOf(parts, newestId)
  const given = body === null ? null : bytes(body)
  const whole: Header[] = [['Host', ['127.0.0.1']], ...headers]
  if (given !== null) whole.push(chunk > 0 ? ['Transfer-Encoding', ['chunked']] : ['Content-Length', [String(given.length)]])
  return Buffer.concat([
    Buffer.from(`${method} `), bytes(url), Buffer.from(` HTTP/1.1${LINE_END}`),
    ...whole.flatMap(([name, value]) => [Buffer.from(`${name}: `), bytes(value), Buffer.from(LINE_END)]),
    Buffer.from(LINE_END),
    ...(given === null ? [] : [chunk > 0 ? inChunks(given, chunk) : given])
  ])
}
