/** Text above this is not kept: it can be read again from the history. */
export const LARGE = 10 * 1024
/** Text of so many characters may be base64. */
const MIN_BASE64 = 100
const BASE64 = /^(?:data:[\w.+/-]+;base64,)?[A-Za-z0-9+/_-]+={0,2}$/
/** What a text begins with that stands for another one. */
const MARK = '\u0001'

/** In the place of a value that is not kept. */
export class Omitted {
  /** Such as `image/jpeg`, `base64`, `text` or `binary`. */
  readonly kind: string
  /** In bytes, or in characters where it is text. */
  readonly size: number

  constructor (kind: string, size: number) {
    this.kind = kind
    this.size = size
  }

  toJSON (): string {
    return `<${this.kind}, ${this.size} B, not kept>`
  }
}

/** A value as it is kept: JSON without base64 and large values. */
export interface Compact {
  readonly json: string
  /** The base64 that was taken out, by its number. */
  readonly blobs: readonly string[]
  /** Of the whole value as JSON, about. */
  readonly size: number
}

/** What begins each kind of picture in base64. */
const SIGNATURES = [
  ['/9j/', 'image/jpeg'], ['iVBORw0KGgo', 'image/png'], ['R0lGOD', 'image/gif'], ['UklGR', 'image/webp']
]

/** The type of a picture in base64; `null` for anything else. */
export function pictureType (text: string): string | null {
  const [, base64 = text] = /^data:[^,]*;base64,(.*)$/s.exec(text.slice(0, 200)) ?? []
  return SIGNATURES.find(([start = '']) => base64.startsWith(start))?.[1] ?? null
}

export const isBase64 = (text: string): boolean => text.length >= MIN_BASE64 && BASE64.test(text)

const kindOf = (text: string): string => pictureType(text) ?? (isBase64(text) ? 'base64' : 'text')

export function compact (value: unknown): Compact {
  const blobs: string[] = []
  let omitted = 0
  const omit = (kind: string, size: number): string => {
    omitted += size
    return `${MARK}L${size},${kind}`
  }
  const json = JSON.stringify(value, (_, each: unknown) => {
    if (each instanceof ArrayBuffer || ArrayBuffer.isView(each)) return omit('binary', each.byteLength)
    if (typeof each !== 'string' || (each.length < MIN_BASE64 && !each.startsWith(MARK))) return each
    if (each.length > LARGE) return omit(kindOf(each), each.length)
    if (isBase64(each)) return `${MARK}B${blobs.push(each) - 1}`
    return each.startsWith(MARK) ? `${MARK}S${each}` : each
  })
  return { json, blobs, size: blobs.reduce((sum, { length }) => sum + length, json.length + omitted) }
}

/** The value again, with {@link Omitted} in the place of what was not kept. */
export function restore (json: string, blobs: readonly string[]): unknown {
  return JSON.parse(json, (_, each: unknown) => {
    if (typeof each !== 'string' || !each.startsWith(MARK)) return each
    const rest = each.slice(2)
    if (each[1] === 'B') return blobs[Number(rest)] ?? ''
    if (each[1] === 'S') return rest
    const [size = '0', kind = ''] = rest.split(',')
    return new Omitted(kind, Number(size))
  })
}

/** The first picture in a value; `null` where there is none that is kept. */
export function pictureIn (value: unknown, depth = 0): string | null {
  if (typeof value === 'string') {
    const type = value.length < 40 ? null : pictureType(value)
    return type === null ? null : value.startsWith('data:') ? value : `data:${type};base64,${value}`
  }
  if (typeof value !== 'object' || value === null || value instanceof Omitted || depth > 8) return null
  // What is quoted is another message's.
  const entries = Object.entries(value).filter(([key]) => key !== 'contextInfo')
  // Evolution puts the whole medium beside the thumbnail, as `base64`.
  for (const [, each] of entries.sort(([a], [b]) => Number(b === 'base64') - Number(a === 'base64'))) {
    const found = pictureIn(each, depth + 1)
    if (found !== null) return found
  }
  return null
}
