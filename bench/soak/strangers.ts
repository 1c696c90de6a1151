import type { Happening } from './client.js'
import { between, keyOf, oneIn, pick, STEADY, WRONG_KEY } from './plan.js'
import { RawSocket } from './raw-socket.js'

/** How long the server may take to end one that is refused, or says nothing, in ms. */
const PATIENCE = 30_000

interface Setup {
  readonly port: number
  readonly happened: (what: Happening) => void
  readonly surprise: (text: string) => void
}

/** One that has no business here: brings a wrong key, or asks for nothing and waits to be ended. */
export function sendStranger ({ port, happened, surprise }: Setup): void {
  const isMute = oneIn(4)
  const instance = oneIn(4) ? null : pick(STEADY)
  // Another instance's key is as wrong as any.
  const apikey = oneIn(2) ? WRONG_KEY : keyOf(STEADY.find(name => name !== instance) ?? null)
  const end = (): void => {
    clearTimeout(timer)
    socket.reset()
  }
  const socket = new RawSocket({ port, namespace: instance === null ? '' : `/${instance},`, ...(!isMute && { auth: { apikey } }) }, {
    joined: () => {
      surprise('a stranger was let in')
      end()
    },
    refused: answer => {
      if (!answer.includes('FORBIDDEN')) surprise(`a stranger was refused by ${answer}`)
      happened('refused')
      setTimeout(end, between(0, 500))
    },
    sentAway: () => { surprise('a stranger was sent away') },
    event: () => { surprise('a stranger got an event') },
    acknowledged: () => { surprise('a stranger got an answer') },
    closed: () => {
      if (!isMute) surprise('the connection of a stranger was ended unheard')
      end()
    }
  })
  const timer = setTimeout(() => {
    surprise('a stranger was never ended')
    end()
  }, PATIENCE)
}
