import { importTests } from './helpers/import-tests.js'

// The others take so long that they had better run beside these.
await importTests(import.meta.url, { except: ['access-matrix', 'close', 'docs', 'log-keys'] })
