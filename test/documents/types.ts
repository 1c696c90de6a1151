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
export function compilerSays (code: string): string[] {
  const file = join(root, 'test/documents/block.mts')
  const host = ts.createCompilerHost(options)
  const { getSourceFile, fileExists } = host
  host.fileExists = name => name === file || fileExists(name)
  host.getSourceFile = (name, languageVersion, ...rest) => {
    if (name === file) return ts.createSourceFile(name, code, languageVersion)
    // Most of the time goes into reading, which need be done once.
    if (!parsed.has(name)) parsed.set(name, getSourceFile(name, languageVersion, ...rest))
    return parsed.get(name)
  }
  const program = ts.createProgram({ rootNames: [file], options, host })
  const source = program.getSourceFile(file)
  return ts.getPreEmitDiagnostics(program, source).map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))
}
