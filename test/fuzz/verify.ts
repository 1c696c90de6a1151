import type { Verify, VerifyAnswer } from '../../lib/index.js'
import { HEALTHY } from './draw/values.js'
import { KEY_WORDS, type KeyWord } from './keys.js'

/** How long a slow check takes, in ms. */
const LATE = 30
/** How long a check takes that keeps who is checked on his way in, in ms. */
const SLOW = 1500
/** For how long a short grant holds, in ms. */
const SHORT = 40

/** What a host in plain JavaScript may answer. */
const odd = (answer: unknown): VerifyAnswer => answer as VerifyAnswer

/** A host's check that does all that a check may do, and may not do, by the last word of the key. */
export function oddVerify (): Verify {
  let turn = 0
  const answers: Readonly<Record<KeyWord, (apikey: string) => VerifyAnswer | Promise<VerifyAnswer>>> = {
    global: () => true,
    yes: () => true,
    one: () => ({ instances: ['fuzz-a'], events: ['messages.*'] }),
    publishes: () => ({ instances: ['fuzz-a'], publish: true }),
    none: () => ({ instances: [], events: [] }),
    calls: () => ({ events: ['CALL'] }),
    short: () => odd({ ttl: SHORT }),
    renewed: () => {
      const all = [true, { ttl: SHORT, events: ['call'] }, { ttl: SHORT }, false, { ttl: SHORT, instances: ['fuzz-b'] }]
      return odd(all[turn++ % all.length])
    },
    late: async () => {
      await new Promise(resolve => { setTimeout(resolve, LATE) })
      return true
    },
    slow: async () => {
      await new Promise(resolve => { setTimeout(resolve, SLOW) })
      return true
    },
    no: () => false,
    unknown: () => false,
    throws: () => { throw new Error('the check is broken') },
    rejects: async () => { throw odd(undefined) },
    // As a client of HTTP does, whose errors say which request has failed.
    tells: apikey => { throw Object.assign(new Error(`GET /check?key=${apikey} failed`, { cause: { apikey } }), { config: { headers: { apikey } }, code: apikey }) },
    nothing: () => { throw odd(null) },
    undefined: () => odd(undefined),
    null: () => odd(null),
    number: () => odd(1),
    text: () => odd('true'),
    response: () => odd(new Response()),
    map: () => odd(new Map([['instances', []]])),
    'bad-names': () => odd({ instances: ['a/b'] }),
    'bad-events': () => ({ events: ['no.such.event'] }),
    'bad-lists': () => odd({ instances: 5, events: { length: 3 } }),
    'bad-ttl': () => odd({ ttl: [0, -1, NaN, Infinity, '5', 2 ** 40][turn++ % 6] }),
    getter: () => odd({ get instances () { throw new Error('a getter') } }),
    proxy: () => odd(new Proxy({}, { ownKeys () { throw new Error('a trap') } })),
    thenable: () => odd({ then () { throw new Error('then') } }),
    extra: () => odd({ instance: ['fuzz-a'] })
  }
  return ({ apikey }) => {
    if (apikey?.endsWith(`-${HEALTHY}`) === true) return { instances: [HEALTHY] }
    const word = KEY_WORDS.find(known => apikey?.endsWith(`-${known}`))
    return apikey !== null && word !== undefined && answers[word](apikey)
  }
}
