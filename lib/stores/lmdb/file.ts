import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { endianness } from 'node:os'
import { join } from 'node:path'
import { bootId } from './boot.js'
import { hasPages, NO_PAGE } from './pages.js'

// Offsets in LMDB's first page, for version 2 of its format on little-endian 64-bit systems. See MDB_meta in mdb.c.
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
/** Number of pages that are checked in a file of the right size. It takes a fraction of a second. */
const MAX_PAGES_CHECKED = 16_384

interface Head {
  readonly pageSize: number
  readonly roots: readonly bigint[]
  readonly lastPage: bigint
  readonly transaction: bigint
  /** Whether LMDB will open this meta page. Otherwise it opens an older one that is surely on the disk. */
  readonly isDurable: boolean
}

/**
 * Checks a file before LMDB opens it. LMDB maps the file into memory, and a missing part would crash the process.
 *
 * @param directory where data.mdb is, or will be created
 * @throws when the file is not LMDB's, or a part of it is missing. Of a large file of the right size, only some pages
 *   are checked
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
  const { lastPage, pageSize, roots, isDurable: isSure } = first.transaction > second.transaction ? first : second
  if (!isSure) return
  // A file that is shorter than its last page says can still be complete: one transaction may have allocated and freed
  // the last pages.
  const isShort = BigInt(size) < (lastPage + 1n) * BigInt(pageSize)
  if (!hasPages(file, size, pageSize, roots, isShort ? Infinity : MAX_PAGES_CHECKED)) throw damaged('a part is missing')
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
  return { pageSize, roots, lastPage, transaction: head.readBigUInt64LE(TRANSACTION_AT), isDurable: isSure }
}

/** The boot id in LMDB's own form. */
function bootNumber (): bigint | undefined {
  const boot = bootId()
  return boot === null ? undefined : BigInt(parseInt(boot, 16))
}

export const damaged = (what: string): Error =>
  new Error(`its data.mdb is damaged or of something else (${what}): move it away and restore a copy, or start anew`)
