import { join } from 'node:path'
import ts from 'typescript'
import { root } from '../helpers/documents.js'

const config = join(root, 'test/tsconfig.json')
const { options } = ts.parseJsonConfigFileContent(ts.readConfigFile(config, path => ts.sys.readFile(path)).config, ts.sys, join(root, 'test'), undefined, config)
const parsed = new Map<string, ts.SourceFile | undefined>()

/**
 * What the compiler says to a program. Each is one of its own, since what it declares holds for all of it.
 *
 * @param code as it would stand in a file of test/
 */
export const compilerSays = (code: string): string[] => compilerSaysOf([['block.mts', code]])

/** What the compiler says to the files of a program. */
export function compilerSaysOf (contents: ReadonlyArray<readonly [name: string, code: string]>): string[] {
  const files = new Map(contents.map(([name, code]) => [join(root, 'test/documents', name), code]))
  const host = ts.createCompilerHost(options)
  const { getSourceFile, fileExists, readFile } = host
  host.fileExists = name => files.has(name) || fileExists(name)
  host.readFile = name => files.get(name) ?? readFile(name)
  host.getSourceFile = (name, languageVersion, ...rest) => {
    const code = files.get(name)
    if (code !== undefined) return ts.createSourceFile(name, code, languageVersion)
    // Most of the time goes into reading, which need be done once.
    if (!parsed.has(name)) parsed.set(name, getSourceFile(name, languageVersion, ...rest))
    return parsed.get(name)
  }
  const program = ts.createProgram({ rootNames: [...files.keys()], options: { ...options, allowImportingTsExtensions: true }, host })
  const sources = [...files.keys()].map(name => program.getSourceFile(name))
  return sources.flatMap(source => ts.getPreEmitDiagnostics(program, source)).map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))
}
