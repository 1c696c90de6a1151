import { readFile } from 'node:fs/promises'
import t from 'tap'
import { errorName } from '../../lib/errors.js'
import { REASONS, type ReasonName, refusalFor } from '../../lib/gateway/reasons.js'

const names = Object.keys(REASONS) as ReasonName[]
const comesBack = { nothing: 'as it likes', disconnect: 'no', reconnect: 'yes' } as const

t.test('the table of reasons in the architecture is the one in the code', async t => {
  const text = await readFile(new URL('../../docs/architecture.md', import.meta.url), 'utf8')
  const documented = [...text.matchAll(/^\| `(\w+)` \| `(\w+)` \| ([\w ]+) \| `([A-Z_]+)` \|$/gm)].map(([, ...row]) => row)
  t.strictSame(documented, names.map(name => {
    const { ending, refusal } = REASONS[name]
    return [name, ending, comesBack[ending], refusal]
  }))
})

t.test('a session that closes before it is open is refused with the code of its reason', async t => {
  for (const name of names) t.equal(errorName(refusalFor(name, 'acme')), REASONS[name].refusal, name)
})
