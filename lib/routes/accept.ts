/** A media range of an `Accept` header. */
interface Range {
  readonly type: string
  /** Preference from 0 (not acceptable) to 1. */
  readonly quality: number
}

/** How specifically a range matches a type: 2 for the exact type, 1 for its group, 0 for any type, -1 for no match. */
function exactness (range: string, type: string): number {
  if (range === type) return 2
  if (range === `${type.split('/', 1)[0] ?? ''}/*`) return 1
  return range === '*/*' ? 0 : -1
}

function parse (header: string): Range[] {
  return header.toLowerCase().split(',').map(part => {
    const [type = '', ...parameters] = part.split(';').map(text => text.trim())
    const quality = Number(parameters.find(parameter => parameter.startsWith('q='))?.slice(2) ?? 1)
    return { type, quality: quality >= 0 && quality <= 1 ? quality : 0 }
  })
}

/**
 * Selects the type that a caller prefers: the one with the highest quality, then the most specific match, then the
 * first.
 *
 * @param header `Accept`; if it is missing or empty, any type is acceptable
 * @returns `undefined` if no type is acceptable
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-12.5.1
 */
export function preferred<Type extends string> (header: string | undefined, types: readonly Type[]): Type | undefined {
  const ranges = parse(header === undefined || header.trim() === '' ? '*/*' : header)
  const wanted = types.map(type => {
    const matching = ranges.map(range => ({ ...range, exactness: exactness(range.type, type) }))
      .filter(({ exactness }) => exactness >= 0)
    const [best] = matching.sort((a, b) => b.exactness - a.exactness)
    return { type, quality: best?.quality ?? 0, exactness: best?.exactness ?? -1 }
  })
  const [first] = wanted.sort((a, b) => b.quality - a.quality || b.exactness - a.exactness)
  return first === undefined || first.quality === 0 ? undefined : first.type
}
