import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import t from 'tap'
import { folder, read, root } from '../helpers/documents.js'

t.test('docs/reference.md is what the types and their comments say: `npm run reference` writes it', async t => {
  const file = join(folder(t, []), 'reference.md')
  await promisify(execFile)(process.execPath, [join(root, '.ci/reference.js'), file], { cwd: root })
  const [committed, generated] = [read('docs/reference.md'), readFileSync(file, 'utf8')]
  const [before, after] = [committed, generated].map(text => text.split('\n')) as [string[], string[]]
  t.strictSame(after.filter(line => !before.includes(line)), [], 'lines are missing: run `npm run reference`')
  t.strictSame(before.filter(line => !after.includes(line)), [], 'lines are too many: run `npm run reference`')
  t.ok(generated === committed, 'the lines have another order: run `npm run reference`')
  t.ok(!generated.includes(root) && !generated.includes('Defined in'), 'nothing in it depends on where it is made')
})
