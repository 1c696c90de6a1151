/** The documents that are there in Portuguese too, with the same code, tables, lists and facts: see translation.test.ts. */
export const TRANSLATED: readonly string[] = [
  'README.md',
  'docs/api.md',
  'docs/clients.md',
  'docs/deployment.md',
  'docs/errors.md',
  'docs/events.md',
  'docs/http.md',
  'docs/keys.md',
  'docs/migrating-from-evolution.md',
  'docs/options.md',
  'docs/publishing.md',
  'docs/resume.md',
  'docs/socketio.md',
  'docs/stores.md',
  'docs/troubleshooting.md'
]

/** Where a document ends in Portuguese: what comes from this heading on is there in English alone. */
export const ENGLISH_FROM: Readonly<Record<string, string>> = {
  'docs/stores.md': '## Configs in your own database'
}

/** Where a document is in Portuguese. */
export const inPortuguese = (document: string): string => document.replace(/\.md$/, '.pt-BR.md')
