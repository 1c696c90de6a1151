/**
 * The environment for a program that a test starts and that loads lib/ by another loader than the tests do: its
 * coverage would be counted at the wrong lines.
 */
export function programEnv (): NodeJS.ProcessEnv {
  const { NODE_V8_COVERAGE: _coverage, NODE_OPTIONS: _options, ...env } = process.env
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.includes('TAPJS')))
}
