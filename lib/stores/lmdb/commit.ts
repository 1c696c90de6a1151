import type { RootDatabase } from 'lmdb'

/** A transaction that was begun. */
export interface Commit {
  /** Resolves when it is there for good, as far as the store promises; rejects when none of it is. */
  readonly kept: Promise<void>
  /** Resolves when the disk has it; rejects when the disk would not take it, which may be after it was kept. */
  readonly flushed: Promise<void>
}

type StartWriting = (this: unknown, address: number, told: (status: number) => unknown) => unknown

/** What lmdb tells of a transaction: it is flushed, it can be read and is not flushed yet, all are done. */
const TOLD = { flushed: 0, visible: 1, done: 2 } as const
const isKnown = (status: number): boolean => Object.values<number>(TOLD).includes(status)

/**
 * Writes transactions so that a promise comes as early as it may.
 *
 * A transaction that can be read survives SIGKILL, because its pages are the kernel's then. lmdb (3.5) knows that
 * moment and acts on it, and resolves only when the disk has all: 0.07 ms and 0.35 ms on a fast disk, 0.2 ms and 50 ms
 * on a slow one. So we listen to what its writer tells it. Should a later version tell differently, nothing is lost but
 * time: what was heard is only a reason to look whether the transaction is there.
 */
export class Committer {
  readonly #root: RootDatabase
  readonly #waitsForDisk: boolean
  #hear: () => void = () => {}

  /** @param waitsForDisk whether nothing is kept before it is flushed */
  constructor (root: RootDatabase, waitsForDisk: boolean) {
    this.#root = root
    this.#waitsForDisk = waitsForDisk
    listen(root, () => { this.#hear() })
  }

  /**
   * Begins a transaction; the one before must be flushed or failed.
   *
   * @param write puts and removes; must not throw, because what it did until then would be written
   * @param isThere whether it can be read
   */
  commit (write: () => void, isThere: () => boolean): Commit {
    const heard = new Promise<void>(resolve => { this.#hear = resolve })
    const flushed = this.flushed(this.#root.batch(write))
    const seen = async () => {
      await heard
      this.#root.resetReadTxn()
      if (!isThere()) await flushed
    }
    return { kept: this.#waitsForDisk ? flushed : Promise.race([seen(), flushed]), flushed }
  }

  /** Resolves when a write is flushed, rejects with the cause when it failed. */
  async flushed (written: Promise<unknown> & { readonly flushed?: Promise<unknown> }): Promise<void> {
    try {
      await written
      // As of lmdb 3.5 it is flushed by then, against its documents: this costs nothing.
      if (this.#waitsForDisk) await written.flushed
    } catch (error) {
      throw await causeOf(error)
    }
  }

  /**
   * To be called before lmdb closes, which waits until the last transaction is flushed: for ever, if it failed. So the
   * last is one without changes, which needs no room on the disk.
   */
  async settle (): Promise<void> {
    await this.#root.remove('no such key')
  }
}

function listen (root: RootDatabase, heard: () => void): void {
  const { env } = root as unknown as { env?: { startWriting?: StartWriting } }
  const startWriting = env?.startWriting
  if (env === undefined || typeof startWriting !== 'function') return
  const listening: StartWriting = (address, told) => startWriting.call(env, address, status => {
    // Any other is a failure. lmdb prints it, and rejects with it as well, so that the log has it once.
    const result = isKnown(status) ? told(status) : withoutPrinting(() => told(status))
    if (status === TOLD.visible) heard()
    return result
  })
  Object.defineProperty(env, 'startWriting', { value: listening })
}

/** Calls lmdb, whose JavaScript prints a failure by `console.error` in the same call, and has no option for that. */
function withoutPrinting<Result> (call: () => Result): Result {
  const { console } = globalThis
  const { error } = console
  console.error = () => {}
  try {
    return call()
  } finally {
    console.error = error
  }
}

/** LMDB's word for a write that came to less than it should. */
const EIO = 5

/** lmdb tells why a transaction failed by a second promise, that rejects in the same turn. */
async function causeOf (error: unknown): Promise<Error> {
  const failure = error instanceof Error ? error : new Error(String(error))
  if (!('commitError' in failure)) return failure
  const turn = new Promise<Error>(resolve => { setImmediate(resolve, failure) })
  const cause = await Promise.race([
    Promise.resolve(failure.commitError).then(() => failure, (cause: Error) => cause),
    turn
  ])
  return 'code' in cause && cause.code === EIO ? new Error(`${cause.message}: is the disk full?`, { cause }) : cause
}
