// `npm start`: builds, then runs the program of `npx fastify-ws-events` in this process.
import './build.js'

// Not there before the build.
await import('../dist/bin/index.js')
