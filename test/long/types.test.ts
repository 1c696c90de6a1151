import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import ts from 'typescript'

// Each folder of test/types/ is a program of its own, since what one host declares holds for its whole program.
const here = join(dirname(fileURLToPath(import.meta.url)), '../types')

/** What TypeScript has parsed, for all programs: most files of each are those of the others. */
const parsedFiles = new Map<string, ts.SourceFile | undefined>()

function createHost (options: ts.CompilerOptions): ts.CompilerHost {
  const host = ts.createCompilerHost(options)
  return {
    ...host,
    getSourceFile (name, versionOrOptions, ...rest) {
      const key = JSON.stringify([name, versionOrOptions])
      if (!parsedFiles.has(key)) parsedFiles.set(key, host.getSourceFile(name, versionOrOptions, ...rest))
      return parsedFiles.get(key)
    }
  }
}

/**
 * What `tsc -p` says about the program, `file:line code text`, but for lib/ itself: that is `npm run typecheck`'s.
 *
 * @param paths where the package is, for a program that finds it in node_modules
 */
function diagnostics (project: string, paths?: ts.MapLike<string[]>): string[] {
  const config = join(here, project, 'tsconfig.json')
  const host = { ...ts.sys, onUnRecoverableConfigFileDiagnostic: () => {} }
  const parsed = ts.getParsedCommandLineOfConfigFile(config, {}, host)
  if (parsed === undefined) return [`${config} cannot be read`]
  const { fileNames: rootNames, errors: configFileParsingDiagnostics } = parsed
  const options = { ...parsed.options, ...paths !== undefined && { paths } }
  const program = ts.createProgram({ rootNames, options, configFileParsingDiagnostics, host: createHost(options) })
  const files = program.getSourceFiles().filter(({ fileName }) => rootNames.includes(fileName))
  const found = [
    ...configFileParsingDiagnostics,
    ...program.getOptionsDiagnostics(),
    ...program.getGlobalDiagnostics(),
    ...files.flatMap(file => [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)])
  ]
  return found.map(({ file, start, code, messageText }) => {
    const where = file === undefined ? project : `${file.fileName}:${file.getLineAndCharacterOfPosition(start ?? 0).line + 1}`
    return `${where} TS${code} ${ts.flattenDiagnosticMessageText(messageText, '\n')}`
  })
}

t.test('a host that declares no events may emit any; members and options are typed, fastify.io is not', async t => {
  t.same(diagnostics('open'), [])
})

t.test('a host that declares its events may emit those, in both spellings, with their data', async t => {
  t.same(diagnostics('declared'), [])
})

t.test('a host may take the types of its events from its catalogue', async t => {
  t.same(diagnostics('catalogue'), [])
})

t.test('schemas of typebox 1.x and of @sinclair/typebox have their types, and what is no schema does not compile', async t => {
  t.same(diagnostics('typebox1'), [])
})

t.test('fastify.io is typed for a host that imports fastify-ws-events/io', async t => {
  t.same(diagnostics('io'), [])
})

t.test('the example with tenants compiles, by its own settings', async t => {
  const lib = join(here, '../../lib')
  t.same(diagnostics('../../example/tenants', { 'fastify-ws-events': [join(lib, 'index.ts')], 'fastify-ws-events/client': [join(lib, 'client/index.ts')] }), [])
})

t.test('a mistake is found', async t => {
  const found = diagnostics('broken').join('\n')
  t.match(found, /broken\.ts:8 TS2554 /, 'a type that is not the expected one')
  t.match(found, /broken\.ts:9 TS2578 Unused '@ts-expect-error'/, 'an error that does not come')
})
