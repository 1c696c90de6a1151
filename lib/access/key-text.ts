/** Replaces a key in a text. */
const HIDDEN = '[key]'

/** The spellings in which a key may appear: as it is, in a URL, and in Basic authentication. */
function spellings (key: string): string[] {
  return [
    key,
    encodeURIComponent(key.toWellFormed()),
    Buffer.from(key).toString('base64'),
    Buffer.from(`${key}:`).toString('base64')
  ]
}

/** Maximum depth of `cause` that is kept. */
const MAX_CAUSES = 5

/**
 * Copies an error from outside for the log, without the key. The original may contain the key in its message, its
 * stack, its request or its cause.
 *
 * @param failure what was thrown
 * @param key the caller's key; `null` if there was none
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
