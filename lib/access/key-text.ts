/** What stands in a text where a key stood. */
const HIDDEN = '[key]'

/** How a key may be written: as it is, in a URL, in Basic authentication. */
function spellings (key: string): string[] {
  return [
    key,
    encodeURIComponent(key.toWellFormed()),
    Buffer.from(key).toString('base64'),
    Buffer.from(`${key}:`).toString('base64')
  ]
}

/** Causes of causes that are kept. */
const MAX_CAUSES = 5

/**
 * An error for the log in place of one from outside, which may carry the key that it was about: in its message or
 * its stack, in the request that it holds, or in what caused it.
 *
 * @param failure what was thrown
 * @param key that came; `null` if none did
 */
export function withoutKey (failure: unknown, key: string | null, causes = MAX_CAUSES): Error {
  const hide = (text: string) =>
    key === null ? text : spellings(key).reduce((hidden, spelling) => hidden.replaceAll(spelling, HIDDEN), text)
  if (!(failure instanceof Error)) {
    return new Error(
      typeof failure === 'string' ? hide(failure) : `it threw a value that is no error (${typeof failure})`
    )
  }
  const { name, message, stack, cause } = failure
  const shown = new Error(
    hide(String(message)),
    cause === undefined || causes === 0 ? undefined : { cause: withoutKey(cause, key, causes - 1) }
  )
  shown.name = hide(String(name))
  shown.stack = hide(String(stack))
  if ('code' in failure && typeof failure.code === 'string') Object.assign(shown, { code: hide(failure.code) })
  return shown
}
