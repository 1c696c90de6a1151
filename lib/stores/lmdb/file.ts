import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { endianness } from 'node:os'
import { join } from 'node:path'
import { bootId } from './boot.js'
import { hasPages, NO_PAGE } from './pages.js'

// Where LMDB's first page has what, in version 2 of its format on 64 bits, little end first. See MDB_meta in its mdb.c.
const HEAD = 176
const MAGIC_AT = 24
const VERSION_AT = 28
const PAGE_SIZE_AT = 48
const FLAGS_AT = 52
const FREE_ROOT_AT = 88
const MAIN_ROOT_AT = 136
const LAST_PAGE_AT = 144
const TRANSACTION_AT = 152
const BOOT_AT = 160
const MAGIC = 0xBEEFC0DE
const VERSION = 2
const NOT_FLUSHED = 0x1000
/** Pages that are looked at in a file that seems whole: a fraction of a second. */
const GLANCE = 16_384

interface Head {
  readonly pageSize: number
  readonly roots: readonly bigint[]
  readonly lastPage: bigint
  readonly transaction: bigint
  /** Whether LMDB will take it, and not an older one of which it is sure that the disk has all. */
  readonly isSure: boolean
}

/**
 * Looks at a file before LMDB does, which maps it into memory, and ends the process where something is not there.
 *
 * @param directory where data.mdb is, or is to be
 * @throws when it is no file of LMDB, or a part of it is missing. Of a large file that has its size not all is looked
 *   at
 */
export function checkFile (directory: string): void {
  if (endianness() !== 'LE' || /32$|^arm$|^mips/.test(process.arch)) return
  const path = join(directory, 'data.mdb')
  let file: number
  try {
    file = openSync(path, 'r')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return
    throw error
  }
  try {
    check(file)
  } finally {
    closeSync(file)
  }
}

function check (file: number): void {
  const { size } = fstatSync(file)
  if (size === 0) return
  const first = readHead(file, 0)
  const second = readHead(file, first.pageSize)
  const { lastPage, pageSize, roots, isSure } = first.transaction > second.transaction ? first : second
  if (!isSure) return
  // It may be shorter than it says, and whole: its last pages were taken and given back in one transaction.
  const isShort = BigInt(size) < (lastPage + 1n) * BigInt(pageSize)
  if (!hasPages(file, size, pageSize, roots, isShort ? Infinity : GLANCE)) throw damaged('a part is missing')
}

function readHead (file: number, at: number): Head {
  const head = Buffer.alloc(HEAD)
  if (readSync(file, head, 0, HEAD, at) < HEAD) throw damaged('it is cut off')
  if (head.readUInt32LE(MAGIC_AT) !== MAGIC) throw damaged('it is not of LMDB')
  const version = head.readUInt32LE(VERSION_AT) & 0xFFFF
  if (version !== VERSION) {
    throw new Error(
      `its data.mdb has version ${version} of LMDB's format, and this lmdb reads ${VERSION}: use the lmdb that wrote it, or another path`
    )
  }
  const pageSize = head.readUInt32LE(PAGE_SIZE_AT)
  if (pageSize < 512 || pageSize > 65536 || (pageSize & (pageSize - 1)) !== 0) {
    throw damaged(`it has pages of ${pageSize} bytes`)
  }
  const lastPage = head.readBigUInt64LE(LAST_PAGE_AT)
  const roots = [FREE_ROOT_AT, MAIN_ROOT_AT].map(at => head.readBigUInt64LE(at))
  if (roots.some(root => root > lastPage && root !== NO_PAGE)) throw damaged('it refers to pages that it does not have')
  const isSure = (head.readUInt16LE(FLAGS_AT) & NOT_FLUSHED) === 0 || head.readBigInt64LE(BOOT_AT) === bootNumber()
  return { pageSize, roots, lastPage, transaction: head.readBigUInt64LE(TRANSACTION_AT), isSure }
}

/** How LMDB writes down the machine's life. */
function bootNumber (): bigint | undefined {
  const boot = bootId()
  return boot === null ? undefined : BigInt(parseInt(boot, 16))
}

export const damaged = (what: string): Error =>
  new Error(`its data.mdb is damaged or of something else (${what}): move it away and restore a copy, or start anew`)
