import { ESLint } from 'eslint'
import { join } from 'node:path'
import t from 'tap'
import { root } from '../helpers/documents.js'

const typed = new ESLint({ cwd: root, overrideConfigFile: '.eslint.config.js' })

async function violations (code: string, file: string): Promise<string[]> {
  const results = await typed.lintText(code + '\n', { filePath: join(root, file) })
  return results.flatMap(({ messages }) => messages).map(({ ruleId, message }) => ruleId ?? message)
}

t.test('the compiler\'s types serve the linter: a promise that nobody waits for is found', async t => {
  // Only a file of the program has types; its text is replaced.
  const rules = await violations("import { setTimeout } from 'node:timers/promises'\n\nsetTimeout(1)", 'lib/index.ts')
  t.same(rules, ['@typescript-eslint/no-floating-promises'])
  t.same(await violations("import { setTimeout } from 'node:timers/promises'\n\nawait setTimeout(1)", 'lib/index.ts'), [])
})
