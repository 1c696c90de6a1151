/** `npm run bench`: what events cost here, and what they cost in other ways, measured side by side. */
import { runProgram } from './lib/program.js'
import { delivery } from './sections/delivery.js'
import { drops } from './sections/drops.js'
import { everyday } from './sections/everyday.js'
import { flood } from './sections/flood.js'
import { greed } from './sections/greed.js'
import { idle } from './sections/idle.js'
import { instances } from './sections/instances.js'
import { latency } from './sections/latency.js'
import { log } from './sections/log.js'
import { memory } from './sections/memory.js'
import { metrics } from './sections/metrics.js'
import { publishing } from './sections/publishing.js'
import { stalled } from './sections/stalled.js'
import { startup } from './sections/startup.js'

await runProgram({
  command: 'npm run bench',
  sections: { everyday, delivery, idle, memory, latency, stalled, instances, log, drops, flood, greed, metrics, publishing, startup },
  quick: 'fewer cells and shorter runs: about six minutes',
  file: quick => quick ? 'quick' : 'full',
  packages: ['fastify', 'socket.io', 'ws']
})
