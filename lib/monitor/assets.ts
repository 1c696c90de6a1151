import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'
import { type AssetName, pageFile } from './page-files.js'

/** The files of the page, made by the build, and their media types. */
const FILES: Readonly<Record<AssetName, string>> = {
  'index.html': 'text/html; charset=utf-8',
  'page.js': 'text/javascript; charset=utf-8',
  'page.css': 'text/css; charset=utf-8'
}

/** Codings in the order that they are preferred in. A browser asks for Brotli on HTTPS and localhost only. */
const CODINGS = {
  br: async (content: Buffer) =>
    await promisify(brotliCompress)(content, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: content.length } }),
  gzip: async (content: Buffer) => await promisify(gzip)(content, { level: 9 })
} as const
type Coding = keyof typeof CODINGS

/** A file of the page. It is small, and asked for rarely: it stays in memory. */
export class Asset {
  readonly name: AssetName
  readonly type: string
  readonly etag: string
  readonly #content: Buffer
  // Map(coding -> the file in it), made when it is first asked for
  readonly #coded = new Map<Coding, Promise<Buffer>>()

  constructor (name: AssetName) {
    this.name = name
    this.type = FILES[name]
    this.#content = pageFile(name)
    this.etag = `W/"${createHash('sha256').update(this.#content).digest('base64url').slice(0, 20)}"`
  }

  /**
   * The file as a caller takes it.
   *
   * @param accepted the header `Accept-Encoding`
   */
  async encoded (accepted: string | undefined): Promise<{ readonly content: Buffer, readonly coding: Coding | null }> {
    const offered = (accepted ?? '').split(',').map(each => each.trim().toLowerCase())
      .filter(each => !/;\s*q=0(\.0*)?$/.test(each)).map(each => each.split(';', 1)[0])
    const coding = (Object.keys(CODINGS) as Coding[]).find(each => offered.includes(each))
    if (coding === undefined) return { content: this.#content, coding: null }
    const coded = this.#coded.get(coding) ?? CODINGS[coding](this.#content)
    this.#coded.set(coding, coded)
    return { content: await coded, coding }
  }
}

export const readAssets = (): Asset[] => Object.keys(FILES).map(name => new Asset(name as AssetName))
