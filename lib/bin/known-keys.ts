/** Keys that Evolution publishes, in its `.env.example` and as the default in its source: to know them again. */
export const EVOLUTIONS_KEYS = ['429683C4C977415CAAFCCE10F7D57E11', 'BQYHJGJHJ']
