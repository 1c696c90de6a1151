import fc from 'fast-check'
import { type Argument, ODD_WORDS } from '../odd.js'
import { keyText } from './keys.js'
import { event, INSTANCES, name } from './values.js'

export const METHODS = ['emit', 'set', 'find', 'remove', 'clients', 'disconnect', 'list', 'stats', 'handle'] as const
/** A call of `fastify.wsEvents`. */
export interface Call {
  readonly method: typeof METHODS[number]
  readonly given: readonly Argument[]
}

const odd: fc.Arbitrary<Argument> = fc.constantFrom(...ODD_WORDS).map(word => ({ odd: word }))
const plain: fc.Arbitrary<Argument> = fc.jsonValue({ maxDepth: 2 }).map(json => ({ json }))
const anything = fc.oneof({ weight: 3, arbitrary: odd }, { weight: 1, arbitrary: plain })
const text = (arbitrary: fc.Arbitrary<string>): fc.Arbitrary<Argument> => arbitrary.map(json => ({ json }))
/** What is meant, or now and then anything. */
const mostly = (arbitrary: fc.Arbitrary<Argument>): fc.Arbitrary<Argument> => fc.oneof({ weight: 6, arbitrary }, { weight: 1, arbitrary: anything })

const object = (members: Record<string, fc.Arbitrary<Argument>>): fc.Arbitrary<Argument> =>
  fc.record(members, { requiredKeys: [] }).map(drawn => ({ object: drawn as Record<string, Argument> }))

const instance = mostly(name.map(part => ({ text: [part] })))
const data = fc.oneof(anything, object({ text: anything, list: plain }))
const flag = mostly(fc.boolean().map(json => ({ json })))
const events = mostly(fc.array(event, { maxLength: 4 }).map(json => ({ json })))

const emitOptions = (marker: string) => object({
  sender: anything,
  dateTime: fc.oneof(anything, text(fc.constantFrom('2024-01-01', 'now', ''))),
  apikey: text(keyText(marker)),
  extra: data,
  unknown: plain
})

const disconnected = (marker: string): fc.Arbitrary<Argument> => mostly(fc.oneof(
  object({ instance: mostly(text(fc.constantFrom<string>(...INSTANCES))), apikey: mostly(text(keyText(marker))) }),
  object({ instance })
))

/** The marked keys of a run are no secret to this side, but must not come out in the log. */
export const call = (marker: string): fc.Arbitrary<Call> => fc.oneof(
  { weight: 10, arbitrary: fc.tuple(instance, mostly(text(event)), data, mostly(emitOptions(marker))).map((given): Call => ({ method: 'emit', given })) },
  { weight: 5, arbitrary: fc.tuple(instance, mostly(object({ enabled: flag, events }))).map((given): Call => ({ method: 'set', given })) },
  { weight: 2, arbitrary: fc.tuple(instance).map((given): Call => ({ method: 'find', given })) },
  { weight: 2, arbitrary: fc.tuple(instance).map((given): Call => ({ method: 'remove', given })) },
  { weight: 2, arbitrary: fc.oneof(fc.tuple(mostly(object({ instance }))), fc.constant([])).map((given): Call => ({ method: 'clients', given })) },
  { weight: 2, arbitrary: fc.oneof(fc.tuple(disconnected(marker)), fc.constant([])).map((given): Call => ({ method: 'disconnect', given })) },
  { weight: 1, arbitrary: fc.constantFrom<Call>({ method: 'list', given: [] }, { method: 'stats', given: [] }) },
  { weight: 1, arbitrary: fc.array(fc.oneof(instance, anything, object({ handler: anything, schema: anything, timeout: anything })), { maxLength: 2 }).map((given): Call => ({ method: 'handle', given })) }
)
