import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Scope } from './server.js'

/** Where the repository is. */
export const root = join(dirname(fileURLToPath(import.meta.url)), '../..')

/** The text of a file of the repository. */
export const read = (file: string): string => readFileSync(join(root, file), 'utf8')

/** The text of a section, up to the next heading of its level or above. */
export function section (markdown: string, heading: string): string {
  const start = markdown.indexOf(`\n${heading}\n`)
  if (start === -1) throw new Error(`there is no section "${heading}"`)
  const rest = markdown.slice(start + heading.length + 2)
  const level = heading.indexOf(' ')
  const end = rest.search(new RegExp(`^#{1,${level}} `, 'm'))
  return end === -1 ? rest : rest.slice(0, end)
}

/** The code blocks of files, by the file that the line before names. */
export function files (markdown: string): Map<string, string> {
  return new Map([...markdown.matchAll(/^`([\w.-]+)`:\n\n```\w+\n([\s\S]*?)^```/gm)].map(([, name = '', code = '']) => [name, code]))
}

/** A code block of a document. */
export interface Block {
  /** The heading that it stands under, with its `#`. */
  readonly heading: string
  /** What stands behind the fence; empty where nothing does. */
  readonly language: string
  readonly code: string
  /** Of its first line in the document. */
  readonly line: number
}

/** All code blocks of a document, in their order. Those in lists are moved to the left. */
export function blocks (markdown: string): Block[] {
  const found: Block[] = []
  let heading = ''
  let open: { indent: string, language: string, lines: string[], line: number } | undefined
  for (const [index, text] of markdown.split('\n').entries()) {
    const [fence, indent = '', language = ''] = /^( *)```(.*)$/.exec(text) ?? []
    if (open === undefined) {
      if (fence !== undefined) open = { indent, language, lines: [], line: index + 2 }
      else if (/^#+ /.test(text)) heading = text
    } else if (fence === undefined) {
      open.lines.push(text.startsWith(open.indent) ? text.slice(open.indent.length) : text)
    } else {
      const { lines, line } = open
      found.push({ heading, language: open.language, code: `${lines.join('\n')}\n`, line })
      open = undefined
    }
  }
  if (open !== undefined) throw new Error(`the code block of line ${open.line} has no end`)
  return found
}

/** The only code block in a language. */
export function block (markdown: string, language: string): string {
  const found = [...markdown.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'gm'))].map(([, code = '']) => code)
  const [only] = found
  if (only === undefined || found.length > 1) throw new Error(`${found.length} blocks of ${language} where one is expected`)
  return only
}

/** A directory with files, in which some packages are installed, this one as it was built. Removed when the test ends. */
export function folder (t: Scope, contents: Iterable<readonly [file: string, text: string]>, packages: readonly string[] = []): string {
  const directory = mkdtempSync(join(tmpdir(), 'documents-'))
  t.teardown(() => { rmSync(directory, { recursive: true }) })
  mkdirSync(join(directory, 'node_modules'))
  for (const name of packages) symlinkSync(name === 'fastify-ws-events' ? root : join(root, 'node_modules', name), join(directory, 'node_modules', name), 'junction')
  for (const [file, text] of contents) writeFileSync(join(directory, file), text)
  return directory
}

/** A program of the documents, for another port than the one that it names. */
export function atPort (code: string, port: number): string {
  const [before, after, ...others] = code.split('8080')
  if (before === undefined || after === undefined || others.length > 0) throw new Error('the program does not name port 8080 once')
  return `${before}${port}${after}`
}
