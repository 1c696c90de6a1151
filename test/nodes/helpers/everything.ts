import type { Redis } from 'ioredis'
import type { RedisServer } from '../../helpers/redis.js'

/** Reads a value, whatever it is, so that texts in it can be looked for. */
async function valueAt (redis: Redis, key: string): Promise<unknown> {
  switch (await redis.type(key)) {
    case 'string': return await redis.get(key)
    case 'hash': return await redis.hgetall(key)
    case 'list': return await redis.lrange(key, 0, -1)
    case 'set': return await redis.smembers(key)
    case 'zset': return await redis.zrange(key, '0', '-1', 'WITHSCORES')
    case 'stream': return await redis.xrange(key, '-', '+')
    default: return null
  }
}

/** All that a Redis holds, as one text. */
export async function everythingIn (redis: Redis): Promise<string> {
  const keys = await redis.keys('*')
  return JSON.stringify(await Promise.all(keys.map(async key => [key, await valueAt(redis, key)])))
}

/** Every command that a Redis gets until `seen` is called, which gives them as one text. */
export async function watchCommands (server: RedisServer): Promise<{ seen: () => Promise<string> }> {
  const redis = server.connect()
  const monitor = await redis.monitor()
  const commands: string[] = []
  let saw = (): void => {}
  const end = new Promise<void>(resolve => { saw = resolve })
  monitor.on('monitor', (time: string, args: string[]) => {
    commands.push(args.join(' '))
    if (args[1] === 'the end of the watch') saw()
  })
  return {
    seen: async () => {
      await redis.echo('the end of the watch')
      await end
      monitor.disconnect()
      return commands.join('\n')
    }
  }
}

/** How often each command was called, such as `subscribe`. */
export async function callsOf (redis: Redis, command: string): Promise<number> {
  return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(await redis.info('commandstats'))?.[1] ?? 0)
}
