// Every block of every document, run.
await import('../documents/all.js')
