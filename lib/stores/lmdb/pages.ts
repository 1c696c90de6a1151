import { readSync } from 'node:fs'

// Offsets in an LMDB page, which has its number, a transaction id, padding, flags, and the end of the node offsets; the
// node offsets follow.
const FLAGS_AT = 18
const NODES_END_AT = 20
const HEAD = 24
const BRANCH = 1
const LEAF = 2
// A node has the size of its data in two halves, flags, and the size of its key; key and data follow. In a branch page,
// the first three fields together are the number of a child page.
const NODE_HEAD = 8
const DATA_ELSEWHERE = 1
const DATA_IS_TREE = 2
/** Offset of the root page in the description of a tree. */
const ROOT_AT = 40

/** The root of an empty tree. */
export const NO_PAGE = 0xFFFFFFFFFFFFFFFFn

/**
 * Whether a file has all pages that its trees refer to, at the right offsets. Starts at the roots, and skips the pages
 * of large values. Checks some 100,000 pages a second.
 *
 * @param file of LMDB, little-endian
 * @param size bytes of the file
 * @param limit maximum number of pages to read
 */
export function hasPages (
  file: number,
  size: number,
  pageSize: number,
  roots: readonly bigint[],
  limit: number
): boolean {
  const numbers = [...roots]
  const page = Buffer.alloc(pageSize)
  const pages = BigInt(Math.floor(size / pageSize))
  try {
    for (let at = 0; at < numbers.length && at < limit; at++) {
      const number = numbers[at]
      if (number === undefined || number === NO_PAGE) continue
      if (number >= pages || readSync(file, page, 0, pageSize, number * BigInt(pageSize)) < pageSize) return false
      if (page.readBigUInt64LE(0) !== number) return false
      for (const { last, isTree } of refersTo(page)) {
        if (last >= pages) return false
        if (isTree) numbers.push(last)
      }
    }
  } catch (error) {
    // An offset points outside of its page.
    if (error instanceof RangeError) return false
    throw error
  }
  return true
}

/** The pages that a page refers to: pages of its tree or of another one, or the last page of a large value. */
function * refersTo (page: Buffer): Generator<{ readonly last: bigint, readonly isTree: boolean }> {
  const flags = page.readUInt16LE(FLAGS_AT)
  if ((flags & (BRANCH | LEAF)) === 0) throw new RangeError('neither branch nor leaf')
  for (const node of nodesOf(page)) {
    if ((flags & BRANCH) !== 0) {
      yield { last: BigInt(node.readUIntLE(0, 6)), isTree: true }
      continue
    }
    const data = node.subarray(NODE_HEAD + node.readUInt16LE(6))
    const kind = node.readUInt16LE(4)
    if ((kind & DATA_IS_TREE) !== 0) {
      const root = data.readBigUInt64LE(ROOT_AT)
      if (root !== NO_PAGE) yield { last: root, isTree: true }
    } else if ((kind & DATA_ELSEWHERE) !== 0) {
      yield { last: lastOf(data, node.readUInt32LE(0), page.length), isTree: false }
    }
  }
}

function * nodesOf (page: Buffer): Generator<Buffer> {
  const count = page.readUInt16LE(NODES_END_AT) >> 1
  for (let at = 0; at < count; at++) yield page.subarray(HEAD + page.readUInt16LE(HEAD + 2 * at))
}

/** The last page of a value that is stored in pages of its own. */
const lastOf = (data: Buffer, size: number, pageSize: number): bigint =>
  data.readBigUInt64LE(0) + BigInt(Math.floor((HEAD - 1 + size) / pageSize))
