import { importTests } from '../helpers/import-tests.js'

for (const prefix of ['host', 'lmdb', 'memory', 'postgres']) await importTests(import.meta.url, { prefix })
