import { importTests } from '../helpers/import-tests.js'

await importTests(import.meta.url, { prefix: 'host' })
// The faults make their whole process another user's for a while, who may not read what is imported meanwhile.
await importTests(import.meta.url, { prefix: 'lmdb', except: ['lmdb-faults'] })
for (const prefix of ['memory', 'postgres']) await importTests(import.meta.url, { prefix })
