import assert from 'node:assert/strict'
import { setTimeout as wait } from 'node:timers/promises'

/** A test for any runner: `run` rejects with an error of `node:assert/strict` where a contract is not kept. */
export interface ContractTest {
  /** A sentence: what is promised. */
  readonly name: string
  run(): Promise<void>
}

/** How long what is done in the background may take, in ms: far longer than it should, because machines differ. */
const PATIENCE = 30_000

/**
 * Waits for what a backend does when it has time, such as to drop what is too old: no contract says when, and no event
 * tells of it. So it is asked for again and again.
 */
export async function eventually (what: string, isSo: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + PATIENCE
  for (let pause = 1; !await isSo(); pause = Math.min(2 * pause, 100)) {
    assert.ok(Date.now() < end, `not within ${PATIENCE / 1000} s: ${what}`)
    await wait(pause)
  }
}

/** Lets what is due in the event loop happen. */
export async function turn (): Promise<void> {
  await new Promise(resolve => { setImmediate(resolve) })
}

/** Lets the machine's clock go on, so that what two logs do in turn is not done in one millisecond. */
export async function tick (): Promise<void> {
  for (const start = Date.now(); Date.now() === start;) await wait(1)
}
