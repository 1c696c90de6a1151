/** `npm run bench:cluster`: what events cost between two nodes on one Redis, here and with Socket.IO's own adapters. */
import { redisVersion } from './lib/own-redis.js'
import { runProgram } from './lib/program.js'
import { bus } from './sections/cluster-bus.js'
import { capacity } from './sections/cluster-capacity.js'

await runProgram({
  command: 'npm run bench:cluster',
  sections: { bus, capacity },
  quick: 'one setup of two nodes, shorter runs: about two minutes',
  file: quick => quick ? 'cluster-quick' : 'cluster',
  packages: ['fastify', 'socket.io', 'ioredis', '@socket.io/redis-streams-adapter', '@socket.io/redis-adapter'],
  others: () => ({ Redis: redisVersion() })
})
