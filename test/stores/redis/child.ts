// A process that opens stores, all at once, and says what became of it. It has nothing to end it: it ends when nothing is left.
import { type RedisStoreOptions, redisStore } from '../../../lib/stores/redis/index.js'
import { AMPLE } from './nodes.js'

const say = (line: string): void => { process.stdout.write(`${line.replaceAll('\n', ' ')}\n`) }
const logger = { warn: (details: object, message: string) => { say(`warning ${message}`) }, error: (details: object, message: string) => { say(`error ${message}`) } }

await Promise.all((JSON.parse(process.argv[2] ?? '[]') as RedisStoreOptions[]).map(async options => {
  try {
    const { name, open } = redisStore(options)
    const store = await open({ retention: AMPLE, logger })
    say(`opened ${name}`)
    await store.close()
    say('closed')
  } catch (error) {
    say(`failed ${error instanceof Error && 'code' in error ? String(error.code) : ''} ${String(error)}`)
  }
}))
