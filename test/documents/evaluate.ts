import { format } from 'node:util'
import type { FastifyInstance, FastifyPluginAsync } from 'fastify'
import wsEvents, * as plugin from '../../lib/index.js'

/** What a block prints. */
export class Screen {
  readonly lines: string[] = []
  readonly #waiting = new Set<() => void>()

  readonly log = (...values: unknown[]): void => {
    this.lines.push(format(...values))
    for (const check of this.#waiting) check()
  }

  readonly error = this.log

  /** Resolves when a line is as wanted, printed already or not. */
  async shows (wanted: string | RegExp): Promise<void> {
    await new Promise<void>(resolve => {
      const check = () => {
        if (!this.lines.some(line => typeof wanted === 'string' ? line === wanted : wanted.test(line))) return
        this.#waiting.delete(check)
        resolve()
      }
      this.#waiting.add(check)
      check()
    })
  }
}

// As fastify-plugin does: it decorates the instance that it is registered on. No variable of this machine counts.
const withoutEnvironment: FastifyPluginAsync = Object.assign(async (instance: FastifyInstance, options: object) => { await wsEvents(instance, { env: false, ...options }) }, { [Symbol.for('skip-override')]: true })

/** What blocks import that is not what this test imports by the same name. */
const MODULES: Readonly<Record<string, () => Promise<object>>> = {
  'fastify-ws-events': async () => await Promise.resolve({ ...plugin, default: withoutEnvironment }),
  'fastify-ws-events/stores': async () => await import('../../lib/stores/index.js'),
  'fastify-ws-events/client': async () => await import('../../lib/client/index.js'),
  'fastify-ws-events/monitor': async () => await import('../../lib/monitor/index.js'),
  'fastify-ws-events/io': async () => await import('../../lib/gateway/io.js')
}

const load = async (name: string): Promise<object> => await (MODULES[name] ?? (async () => await import(name) as object))()

/** Imports, as a function can have them. */
const withoutImports = (code: string): string => code.replace(/^import (?:(\w+)(?:, )?)?(?:\{ (.*?) \})?(?: ?from )?'(.+)'$/gm,
  (text, byDefault: string | undefined, names: string | undefined, name: string) => {
    const wanted = [...byDefault === undefined ? [] : [`default: ${byDefault}`], ...names === undefined ? [] : [names.replaceAll(' as ', ': ')]]
    return `const { ${wanted.join(', ')} } = await load('${name}')`
  })

type Evaluated = (...values: unknown[]) => Promise<Record<string, unknown>>
const AsyncFunction = (async () => {}).constructor as new (...names: string[]) => Evaluated

/**
 * Runs a block of JavaScript in this process, with the plugin of lib/.
 *
 * @param scope what it uses and does not make: `fastify`, what it says is yours
 * @param results names that it declares
 * @returns their values
 */
export async function evaluate<Name extends string = never> (code: string, scope: Readonly<Record<string, unknown>> = {}, results: readonly Name[] = []): Promise<Record<Name, unknown>> {
  const given = { Fastify: (await import('fastify')).default, wsEvents: withoutEnvironment, ...scope }
  // In braces: it may declare what it could have had.
  const body = `{\n${withoutImports(code)}\nreturn { ${results.join(', ')} }\n}`
  return await new AsyncFunction('load', ...Object.keys(given), body)(load, ...Object.values(given))
}
