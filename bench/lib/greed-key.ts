/** The key of every client of the section greed. */
export const KEY = 'the-key-of-every-client'
