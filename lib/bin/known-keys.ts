/** Keys that Evolution has published, in its `.env.example` and as defaults in its source. Used to warn about them. */
export const EVOLUTIONS_KEYS = ['429683C4C977415CAAFCCE10F7D57E11', 'BQYHJGJHJ']
