import type { Test } from 'tap'
import { connectionsOf, endConnection } from '../../lib/gateway/socketio/engine.js'
import '../../lib/gateway/io.js'
import { eventually } from './latch.js'
import type { Program } from './program.js'
import { startServer } from './server.js'

const CUTS = 3

/**
 * Shows that a program resumes: its connection is cut again and again while events keep coming, and it prints each of
 * them once and in order, as `call NUMBER`.
 *
 * @param start starts the program, for a server without a key at this port
 */
export async function losesNothing (t: Test, start: (port: number) => Program): Promise<void> {
  const { fastify, port } = await startServer(t, { defaultConfig: { enabled: true } })
  const { wsEvents, io } = fastify
  const resumed = () => wsEvents.stats().delivery.resumed
  const program = start(port)
  await program.whileItRuns(eventually(() => resumed().fresh === 1))
  let next = 0
  const emitting = setInterval(() => { void wsEvents.emit('acme', 'call', next++) }, 1)
  t.teardown(() => { clearInterval(emitting) })
  for (let cut = 0; cut < CUTS; cut++) {
    const { recovered } = resumed()
    const count = program.lines.length
    await program.printed(lines => lines.length > count + 20)
    for (const connection of connectionsOf(io)) endConnection(connection)
    await program.whileItRuns(eventually(() => resumed().recovered > recovered))
  }
  clearInterval(emitting)
  await program.printed(lines => lines.at(-1) === `call ${next - 1}`)
  t.strictSame(program.lines, Array.from({ length: next }, (empty, at) => `call ${at}`))
  t.equal(resumed().gap, 0)
  t.ok(wsEvents.stats().delivery.replayed > 0, 'something had to be replayed')
}
