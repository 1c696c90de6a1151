/** The documents that are there in Portuguese too, with the same code, tables, lists and facts: see translation.test.ts. */
export const TRANSLATED: readonly string[] = [
  'README.md',
  'docs/README.md',
  'docs/api.md',
  'docs/clients.md',
  'docs/deployment.md',
  'docs/errors.md',
  'docs/events.md',
  'docs/evolution.md',
  'docs/getting-started.md',
  'docs/http.md',
  'docs/keys.md',
  'docs/metrics.md',
  'docs/migrating-from-evolution.md',
  'docs/monitor.md',
  'docs/operating.md',
  'docs/options.md',
  'docs/privacy.md',
  'docs/publishing.md',
  'docs/resume.md',
  'docs/socketio.md',
  'docs/stores.md',
  'docs/testing-your-app.md',
  'docs/troubleshooting.md'
]

/** Where a document is in Portuguese. */
export const inPortuguese = (document: string): string => document.replace(/\.md$/, '.pt-BR.md')
