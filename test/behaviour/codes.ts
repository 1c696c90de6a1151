/** The HTTP status of each code of the table, from docs/errors.md's table. */
export const CODES: Readonly<Record<string, number>> = {
  FORBIDDEN: 403,
  INSTANCE_DISABLED: 403,
  NOT_SET: 404,
  ALREADY_JOINED: 409,
  LIMIT_REACHED: 429,
  VERIFY_FAILED: 503,
  STORE_UNAVAILABLE: 503,
  CLOSED: 503
}
