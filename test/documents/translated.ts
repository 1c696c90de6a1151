/** The documents that are there in Portuguese too, with the same code, tables, lists and facts: see translation.test.ts. */
export const TRANSLATED: readonly string[] = [
  'README.md',
  'docs/clients.md',
  'docs/http.md',
  'docs/keys.md',
  'docs/resume.md'
]

/** Where a document is in Portuguese. */
export const inPortuguese = (document: string): string => document.replace(/\.md$/, '.pt-BR.md')
