import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type Block, blocks, read, root } from '../helpers/documents.js'
import { BY_DOCUMENT } from './inventory.js'
import type { Story } from './story.js'
import { inPortuguese, TRANSLATED } from './translated.js'

/** Those in Portuguese have the blocks of those in English: see translation.test.ts. */
const COPIES = new Set(TRANSLATED.map(inPortuguese))

/** All documents for users. A new one is found by itself. */
const DOCUMENTS = ['README.md', 'SECURITY.md', ...readdirSync(join(root, 'docs')).filter(name => name.endsWith('.md')).map(name => `docs/${name}`)].filter(document => !COPIES.has(document))

/** What a fence may say. `text` is read and not run. */
const LANGUAGES = new Set(['sh', 'js', 'ts', 'json', 'html', 'nginx', 'caddyfile', 'python', 'php', 'sql', 'yaml', 'text'])

/** The blocks to run, by their heading. */
function toRun (document: string): Map<string, Block[]> {
  const found = new Map<string, Block[]>()
  for (const block of blocks(read(document)).filter(({ language }) => language !== 'text')) {
    found.set(block.heading, [...found.get(block.heading) ?? [], block])
  }
  return found
}

for (const document of DOCUMENTS) {
  t.test(document, async t => {
    const stories = BY_DOCUMENT[document] ?? {}
    const found = toRun(document)
    t.test('every code block has its story, and every story its block', async t => {
      for (const { language, line } of blocks(read(document))) t.ok(LANGUAGES.has(language), `line ${line}: ${language === '' ? 'a block without a language' : language}`)
      for (const [heading, { length }] of found) t.equal(stories[heading]?.length ?? 0, length, `"${heading}": see test/documents/inventory.ts`)
      for (const heading of Object.keys(stories)) t.ok(found.has(heading), `"${heading}" has no code any more`)
    })
    for (const [heading, inOrder] of found) {
      for (const [index, block] of inOrder.entries()) {
        const story = stories[heading]?.[index]
        if (story !== undefined) await tell(t, document, block, story)
      }
    }
  })
}

async function tell (t: Test, document: string, block: Block, story: Story): Promise<void> {
  const name = `${document}:${block.line} ${block.heading} (${block.language})`
  if (typeof story !== 'string') {
    await t.test(name, { skip: story.skip }, async t => { await story.run(t, block) })
    return
  }
  await t.test(name, async t => {
    // Another test reads it from the document, by its heading.
    t.ok(existsSync(join(root, story)), story)
    const source = read(story)
    t.ok(source.includes(`'${block.heading}'`) || source.includes(`'${document}'`) || reads(story, block), `${story} reads it`)
  })
}

/** Whether what a test imports reads a block. */
function reads (story: string, { heading }: Block): boolean {
  return [...read(story).matchAll(/from '(\.{1,2}\/.*)\.js'/g)].some(([, path = '']) => {
    const file = join(story, '..', `${path}.ts`)
    return existsSync(join(root, file)) && read(file).includes(`'${heading}'`)
  })
}
