// Looks for keys in what was logged.

/** So much of a long key is looked for: some messages give the beginning of what came. In bytes; 3 of them are 4 of base64. */
const BEGINNING = 30
/** The shortest text that is looked for anywhere in a line. */
const LEAST = 8
const NEWLINE = 10

/**
 * Whether a key can be looked for anywhere. What is short, a single word, or the same few characters again and again
 * stands in logs for other reasons.
 */
const isDistinctive = key => key.length >= LEAST && new Set(key).size >= 5 && !/^\p{L}+$/u.test(key)

/** The texts that would show that a key was logged: as it is, within JSON, percent-encoded, in base64 at any offset. */
function spellings (key) {
  const beginning = key.slice(0, BEGINNING)
  const quoted = JSON.stringify(beginning).slice(1, -1)
  const percent = encodeURIComponent(beginning.toWellFormed())
  const bytes = Buffer.from(key).subarray(0, BEGINNING)
  const encoded = [0, 1, 2].flatMap(offset => base64(bytes, offset))
  const form = String(new URLSearchParams([['', beginning]])).slice(1)
  const all = [beginning, quoted, JSON.stringify(quoted).slice(1, -1), percent, percent.replaceAll(/%../g, code => code.toLowerCase()), form, ...encoded]
  return new Set(all.filter(text => text.length >= LEAST))
}

/** @returns those characters that follow from the bytes alone, in both alphabets */
function base64 (bytes, offset) {
  const whole = Buffer.concat([Buffer.alloc(offset), bytes]).toString('base64')
  const text = whole.slice(Math.ceil(offset * 8 / 6), Math.floor((offset + bytes.length) * 8 / 6))
  return [text, text.replaceAll('+', '-').replaceAll('/', '_')]
}

/** Where the name of a key stands before it. */
const NAMED = /(?:apikey|authorization|bearer)["'\s:=\\]*(?:bearer\s+)?([^"'\s&;,\\]+)/gi
/** A field of the log with a name that a client has chosen, which may be the same word. */
const isName = field => ['namespace', 'instance', 'instances', 'reqId'].includes(field)

/** Finds many keys in much text. */
export class KeySearch {
  // Map(the first bytes of a spelling -> spellings with their keys)
  #spellings = new Map()
  /** Which four bytes a spelling may begin with: most places of a text are passed over by this alone. */
  #beginnings = new Uint8Array(1 << 16)
  /** Keys that are looked for as whole values, because they are no distinctive text. */
  ordinary = new Set()

  /** @param keys trimmed, none empty */
  constructor (keys) {
    for (const key of keys) {
      if (isDistinctive(key)) for (const text of spellings(key)) this.#add(key, Buffer.from(text))
      else this.ordinary.add(key)
    }
  }

  #add (key, bytes) {
    this.#beginnings[hash(bytes, 0)] = 1
    const start = bytes.latin1Slice(0, LEAST)
    this.#spellings.set(start, [...this.#spellings.get(start) ?? [], { key, bytes }])
  }

  /**
   * @param text lines of JSON, as bytes
   * @yields {{ key: string, line: string }}
   */
  * in (text) {
    yield * this.#distinctive(text)
    if (this.ordinary.size > 0) yield * this.#values(text)
  }

  * #distinctive (text) {
    for (let at = 0; at <= text.length - LEAST; at++) {
      if (this.#beginnings[hash(text, at)] === 0) continue
      for (const { key, bytes } of this.#spellings.get(text.latin1Slice(at, at + LEAST)) ?? []) {
        if (text.compare(bytes, 0, bytes.length, at, Math.min(at + bytes.length, text.length)) === 0) yield { key, line: lineAt(text, at) }
      }
    }
  }

  /** Finds ordinary keys that are all of a value, or that stand behind their name. */
  * #values (text) {
    for (const line of text.toString().split('\n')) {
      const key = line === '' ? undefined : this.#valueIn(JSON.parse(line), '')
      if (key !== undefined) yield { key, line }
    }
  }

  #valueIn (value, field) {
    if (typeof value === 'string') return this.#keyIn(value, field)
    if (typeof value !== 'object' || value === null) return undefined
    for (const [name, inner] of Object.entries(value)) {
      const found = this.#valueIn(inner, Array.isArray(value) ? field : name)
      if (found !== undefined) return found
    }
  }

  #keyIn (text, field) {
    const whole = text.trim()
    if (!isName(field) && this.ordinary.has(whole)) return whole
    for (const [, value] of text.matchAll(NAMED)) if (this.ordinary.has(value)) return value
  }
}

/** Of four bytes, as a number of 16 bits. */
function hash (bytes, at) {
  const word = bytes[at] | bytes[at + 1] << 8 | bytes[at + 2] << 16 | bytes[at + 3] << 24
  return Math.imul(word, 0x9E3779B1) >>> 16
}

function lineAt (text, at) {
  const end = text.indexOf(NEWLINE, at)
  return text.toString('utf8', text.lastIndexOf(NEWLINE, at) + 1, end === -1 ? text.length : end)
}
