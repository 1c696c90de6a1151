/** Exit codes of the command, by kind of failure. */
export const EXIT_CODES = { failed: 1, usage: 2, portInUse: 3, unreadable: 4 } as const

/** A failure that the user can fix. Only its message is printed, without a stack. */
export class Failure extends Error {
  readonly exitCode: number

  constructor (kind: keyof typeof EXIT_CODES, message: string) {
    super(message)
    this.exitCode = EXIT_CODES[kind]
  }
}

export const exitCodeOf = (error: unknown): number => error instanceof Failure ? error.exitCode : EXIT_CODES.failed

/** The text to print: the message, and for an unexpected error the stack as well. */
export function explain (error: unknown): string {
  if (error instanceof Failure) return error.message
  const { code, message, stack } = error as NodeJS.ErrnoException
  if (code === 'ERR_MODULE_NOT_FOUND' && message.includes("'fastify'")) {
    return 'Fastify is not installed: npm install fastify'
  }
  if (code !== undefined) return `Cannot start: ${message} (${code})`
  return stack ?? String(error)
}
