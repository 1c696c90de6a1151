/** Something that a test lets happen. */
export interface Latch {
  readonly opened: Promise<void>
  open (): void
}

export function latch (): Latch {
  let open = () => {}
  const opened = new Promise<void>(resolve => { open = resolve })
  return { opened, open }
}

/** Of Node itself: a test may have put another clock into its place. */
const { setImmediate: nextTurn, setTimeout: after } = globalThis
/** So many times it is asked in every turn of the event loop, where most answers come. */
const TURNS = 100
/** And from then on after so many ms: in every turn it would take a whole core from the servers that are waited for. */
const PAUSE = 5

/** Between two times that something is asked for. */
export async function untilNext (times: number): Promise<void> {
  await new Promise<void>(resolve => { if (times < TURNS) nextTurn(resolve); else after(resolve, PAUSE) })
}

/** Resolves to what another turn of the event loop finds, as soon as it is something. */
export async function eventually<Found> (find: () => Found | undefined | false): Promise<Found> {
  for (let times = 0; ; times++) {
    const found = find()
    if (found !== undefined && found !== false) return found
    await untilNext(times)
  }
}

/** Resolves as soon as a question is answered as wanted; asks again in another turn of the event loop. */
export async function answered (ask: () => Promise<boolean>): Promise<void> {
  for (let times = 0; !await ask(); times++) await untilNext(times)
}
