import t, { type Test } from 'tap'
import { blocks, read } from '../helpers/documents.js'
import { inPortuguese, TRANSLATED } from './translated.js'

/** `migrate` is asked to speak Portuguese; then it has these words where a reader puts in something. */
const PLACEHOLDERS = [
  ['migrate --lang pt ', 'migrate '],
  ['SUA_CHAVE_GLOBAL', 'YOUR_GLOBAL_KEY'],
  ['SUA_CHAVE_DE_PUBLICACAO', 'YOUR_PUBLISH_KEY'],
  ['CHAVE_DA_EVOLUTION', 'KEY_OF_EVOLUTION'],
  ['/webhook/set/NOME', '/webhook/set/NAME'],
  ['/caminho/da/evolution/', '/path/of/evolution/']
] as const
const withEnglishNames = (portuguese: string): string => PLACEHOLDERS.reduce((text, [from, to]) => text.replaceAll(from, to), portuguese)

/** What must be the same in both languages, of a piece of text. */
interface Facts {
  /** What stands in backticks. */
  readonly code: string[]
  /** Without their separators, which differ. */
  readonly numbers: string[]
  /** Of links to elsewhere, to a page in either language: anchors are headings, and so in the language. */
  readonly links: string[]
}

interface Section {
  readonly level: number
  readonly heading: string
  /** Each row of each table: the facts of each of its cells. */
  readonly tables: Facts[][][]
  /** Each item of its lists. */
  readonly items: Facts[]
  /** All that is neither table nor list. */
  readonly prose: Facts
}

const CODE = /`[^`]+`/g

function factsOf (text: string): Facts {
  const [words, targets] = [text.replaceAll(CODE, ' ').replaceAll(/\]\([^)]*\)/g, ' '), [...text.matchAll(/\]\(([^)#]+)/g)].map(([, target = '']) => target.replace('.pt-BR.md', '.md'))]
  return {
    code: (text.match(CODE) ?? []).toSorted(),
    numbers: [...words.matchAll(/\d+(?:[.,]\d+)*/g)].map(([number]) => number.replaceAll(/[.,]/g, '')).toSorted(),
    links: targets.toSorted()
  }
}

const cells = (row: string): string[] => row.replaceAll('\\|', '').split('|').slice(1, -1)

function sectionOf (text: string): Section {
  const [title = '', ...lines] = text.split('\n')
  const [, marks = '', heading = ''] = /^(#+) (.*)$/.exec(title) ?? []
  const isRow = (line: string): boolean => line.startsWith('|')
  const isItem = (line: string): boolean => /^(?:-|\d+\.) /.test(line)
  const tables = [...lines.join('\n').matchAll(/(?:^\|.*(?:\n|$))+/gm)].map(([table]) => table.trimEnd().split('\n').map(row => cells(row).map(factsOf)))
  return { level: marks.length, heading, tables, items: lines.filter(isItem).map(factsOf), prose: factsOf(lines.filter(line => !isRow(line) && !isItem(line)).join('\n')) }
}

/** The sections of a document, without its code. */
function sections (markdown: string): Section[] {
  const text = markdown.replaceAll(/^ *```.*\n[\s\S]*?^ *```$/gm, '')
  return text.split(/^(?=#+ )/m).map(sectionOf)
}

for (const document of TRANSLATED) {
  const [english, portuguese] = [read(document), withEnglishNames(read(inPortuguese(document)))]
  const [inEnglish, found] = [english, portuguese].map(sections) as [Section[], Section[]]

  t.test(`${inPortuguese(document)} has the headings of ${document}, in their order and level`, async t => {
    const levels = (each: Section[]): number[] => each.map(({ level }) => level)
    t.strictSame(levels(found), levels(inEnglish))
    const headings = found.map(({ heading }) => heading)
    t.equal(new Set(headings).size, headings.length, 'each of its own name, since links go there')
  })

  t.test(`${inPortuguese(document)} has the code of ${document}`, async t => {
    const codeOf = (markdown: string): Array<[string, string]> => blocks(markdown).map(({ language, code }) => [language, code])
    t.strictSame(codeOf(portuguese), codeOf(english))
  })

  for (const [index, wanted] of inEnglish.entries()) {
    t.test(`${document}, "${wanted.heading}": the tables, the lists and the facts are the same in Portuguese`, async t => {
      sameFacts(t, found[index], wanted)
    })
  }
}

function sameFacts (t: Test, found: Section | undefined, wanted: Section): void {
  if (found === undefined) { t.fail('the section is missing'); return }
  t.equal(found.tables.length, wanted.tables.length, 'as many tables')
  for (const [number, rows] of wanted.tables.entries()) {
    t.equal(found.tables[number]?.length, rows.length, `table ${number + 1}: as many rows`)
    for (const [row, facts] of rows.entries()) t.strictSame(found.tables[number]?.[row], facts, `table ${number + 1}, row ${row + 1}`)
  }
  t.equal(found.items.length, wanted.items.length, 'as many items')
  for (const [number, facts] of wanted.items.entries()) t.strictSame(found.items[number], facts, `item ${number + 1}`)
  t.strictSame(found.prose, wanted.prose, 'the rest')
}
