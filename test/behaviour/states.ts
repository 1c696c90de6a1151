import { eventually } from '../helpers/latch.js'
import { SocketClient } from './clients.js'
import type { State } from './rows.js'
import type { Needs, World } from './world.js'

/** How a row's client comes to be in a state. */
interface Setup {
  readonly needs?: Needs
  readonly enter: (world: World) => Promise<void>
}

/** Shows that what is emitted reaches a client. */
const hears = async ({ client, wsEvents }: World): Promise<void> => {
  client.join()
  await client.until(() => client.isIn)
  await wsEvents.emit('acme', 'call', 'hello')
  await client.until(() => client.got.includes('hello'))
}

const isHeldAt = async (world: World, gate: 'watch' | 'read'): Promise<void> => {
  const { parts: { store }, client } = world
  store[gate].close()
  client.join()
  await eventually(() => store[gate].held > 0)
}

export const setups: Readonly<Record<State, Setup>> = {
  connecting: {
    enter: async ({ client }) => {
      if (client instanceof SocketClient) await client.open()
    }
  },
  authorizing: {
    enter: async ({ parts: { checks }, client }) => {
      checks.gate.close()
      client.join()
      await eventually(() => checks.gate.held > 0)
    }
  },
  subscribing: { enter: async world => { await isHeldAt(world, 'watch') } },
  recovering: {
    needs: { resumes: true },
    enter: async world => {
      await isHeldAt(world, 'read')
      if (world.parts.way !== 'page') await world.client.until(() => world.client.isIn)
    }
  },
  live: {
    enter: hears
  },
  muted: {
    needs: { options: { evolution: true } },
    enter: async world => {
      await hears(world)
      await world.wsEvents.set('acme', { enabled: false })
    }
  }
}
