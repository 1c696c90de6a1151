import type { RootDatabase } from 'lmdb'

/** A transaction that is being committed. */
export interface Commit {
  /** Resolves when the transaction is as durable as the store promises; rejects if nothing of it was written. */
  readonly kept: Promise<void>
  /**
   * Resolves when the disk has the transaction; rejects if the disk failed, which may happen after `kept` has resolved.
   */
  readonly flushed: Promise<void>
}

type StartWriting = (this: unknown, address: number, told: (status: number) => unknown) => unknown

/**
 * Statuses of a transaction that lmdb's writer reports: it is on the disk, it is readable but not flushed yet, all
 * transactions are done.
 */
const STATUSES = { flushed: 0, visible: 1, done: 2 } as const
const isKnown = (status: number): boolean => Object.values<number>(STATUSES).includes(status)

/**
 * Commits transactions and resolves as early as durability allows.
 *
 * A transaction that can be read survives SIGKILL, because its pages are in the kernel. lmdb (3.5) knows that moment,
 * but resolves its promise only when the disk has everything. The two moments are 0.07 ms and 0.35 ms after the start
 * on a fast disk, 0.2 ms and 50 ms on a slow one. So this class listens to the reports of lmdb's writer. A report is
 * only a reason to check whether the transaction is readable: if a later version reports differently, commits are
 * slower but still correct.
 */
export class Committer {
  readonly #root: RootDatabase
  readonly #waitsForDisk: boolean
  #onVisible: () => void = () => {}

  /** @param waitsForDisk whether `kept` waits until the transaction is flushed */
  constructor (root: RootDatabase, waitsForDisk: boolean) {
    this.#root = root
    this.#waitsForDisk = waitsForDisk
    listen(root, () => { this.#onVisible() })
  }

  /**
   * Starts a transaction. The previous one must be flushed or failed.
   *
   * @param write puts and removes records; must not throw, because what it did before would still be written
   * @param isThere whether the transaction is readable
   */
  commit (write: () => void, isThere: () => boolean): Commit {
    const visible = new Promise<void>(resolve => { this.#onVisible = resolve })
    const flushed = this.flushed(this.#root.batch(write))
    const seen = async () => {
      await visible
      this.#root.resetReadTxn()
      if (!isThere()) await flushed
    }
    return { kept: this.#waitsForDisk ? flushed : Promise.race([seen(), flushed]), flushed }
  }

  /** Resolves when a write is flushed; rejects with the cause if it failed. */
  async flushed (written: Promise<unknown> & { readonly flushed?: Promise<unknown> }): Promise<void> {
    try {
      await written
      // In lmdb 3.5 the write is already flushed here, although its documentation says otherwise.
      if (this.#waitsForDisk) await written.flushed
    } catch (error) {
      throw await causeOf(error)
    }
  }

  /**
   * Must be called before lmdb is closed. Closing waits until the last transaction is flushed, and forever if that
   * failed. So this adds a last transaction without changes, which needs no space on the disk.
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
    // Any other status is a failure. lmdb prints it and also rejects with it; only the rejection is logged.
    const result = isKnown(status) ? told(status) : withoutPrinting(() => told(status))
    if (status === STATUSES.visible) heard()
    return result
  })
  Object.defineProperty(env, 'startWriting', { value: listening })
}

/** Calls lmdb with `console.error` disabled: lmdb prints failures and has no option against that. */
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

/** The error code of LMDB for an incomplete write. */
const EIO = 5

/** lmdb reports the cause of a failed transaction by a second promise, which rejects in the same tick. */
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
