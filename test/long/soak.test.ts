import t from 'tap'
import { root } from '../helpers/documents.js'
import { Program, UNCOUNTED } from '../helpers/program.js'

t.test('a soak of a few seconds, with clients that come and go, loses nothing', async t => {
  const args = ['--store', 'memory', '--clients', '60', '--minutes', '0.08']
  const env = {
    // By this configuration the package's own name is lib/, so that nothing has to be built.
    TSX_TSCONFIG_PATH: 'test/tsconfig.json',
    ...UNCOUNTED
  }
  const program = new Program(t, process.execPath, ['--import', 'tsx', 'bench/soak.ts', ...args], { cwd: root, env })
  const code = await program.ended
  const lines = program.lines.join('\n')
  const faults = program.lines.filter(line => /^(FAULT|should not be):/.test(line))
  t.strictSame(faults, [])
  t.equal(code, 0, lines)
  const [, received = '0'] = /^60 clients, ([\d,]+) events received: lost 0, doubled 0, disordered 0, gaps 0$/m.exec(lines) ?? []
  t.ok(Number(received.replaceAll(',', '')) > 1000, 'they got events')
  t.match(lines, /\bcut [1-9]/, 'some were cut')
  const [, replayed = '0'] = /(\d[\d,]*) replayed/.exec(lines) ?? []
  t.ok(Number(replayed.replaceAll(',', '')) > 0, 'something had to be replayed')
})
