// Lets Node run TypeScript: `node --require ./.ci/typescript/register.cjs FILE.ts`, as the tests do. What was compiled is
// kept, so that a process costs a second of CPU instead of five.
// By --require, since that comes before any --import: what tap counts for coverage must be the compiled code.
const { register } = require('node:module')
const { pathToFileURL } = require('node:url')

register('./hooks.mjs', pathToFileURL(__filename))
