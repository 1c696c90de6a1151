// Writes the API reference from the public types and their doc comments: `node .ci/reference.js FILE`.
// It fails where a type that a public signature names is in no entry, or where something public has no comment.
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Application, Converter, IntrinsicType, PageEvent, ReflectionKind } from 'typedoc'

const root = fileURLToPath(new URL('..', import.meta.url))
const [file] = process.argv.slice(2)
assert.ok(file !== undefined, 'usage: reference.js FILE')

const HEAD = `# API reference

Generated from the types and their comments in \`lib/\` by \`npm run reference\`. Do not edit it.

[API](api.md) is the page to read first. This one has every public type, member, parameter and default, by what you import. Names of errors stand without their prefix \`FST_ERR_WS_EVENTS_\`: see [Errors](errors.md).
`

/** Where types of other packages are described. */
const LIBRARIES = {
  '@sinclair/typebox': { '*': 'https://www.npmjs.com/package/@sinclair/typebox' },
  '@types/node': { '*': 'https://nodejs.org/docs/latest-v20.x/api/' },
  fastify: { '*': 'https://fastify.dev/docs/latest/Reference/TypeScript/' },
  'socket.io': { '*': 'https://socket.io/docs/v4/server-api/' },
  'socket.io-client': { '*': 'https://socket.io/docs/v4/client-options/' }
}

/** Objects whose keys have a document of their own. */
const TABLED = ['errors', 'evolutionEvents']

const { name: ours, exports: entries } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const sources = Object.values(entries).map(({ types }) => types).filter(types => types !== undefined)

async function reference () {
  const app = await Application.bootstrapWithPlugins({
    plugin: ['typedoc-plugin-markdown'],
    entryPoints: sources.map(types => join(root, types.replace('./dist/', 'lib/').replace('.d.ts', '.ts'))),
    tsconfig: join(root, 'tsconfig.json'),
    // `npm run typecheck` does that.
    skipErrorChecking: true,
    out,
    readme: 'none',
    logLevel: 'Warn',
    treatWarningsAsErrors: true,
    disableSources: true,
    disableGit: true,
    sourceLinkTemplate: '{path}',
    excludeExternals: true,
    excludeInternal: true,
    excludePrivate: true,
    sortEntryPoints: false,
    sort: ['kind', 'source-order'],
    kindSortOrder: [
      'Variable', 'Function', 'Class', 'Interface', 'TypeAlias', 'Property', 'Constructor', 'Accessor', 'Method'
    ],
    groupOrder: [
      'Variables', 'Functions', 'Classes', 'Interfaces', 'Type Aliases', 'Properties', 'Constructors', 'Accessors', 'Methods'
    ],
    tableColumnSettings: { hideInherited: true, hideModifiers: true },
    externalSymbolLinkMappings: LIBRARIES,
    validation: { notExported: true, invalidLink: true, notDocumented: true },
    // How the types of typebox 1.x are read: ninety lines that nobody has to know.
    intentionallyNotExported: ['fastify-ws-events/lib/events/schema-type.ts:DataOf'],
    requiredToBeDocumented: [
      'Module', 'Class', 'Interface', 'TypeAlias', 'Variable', 'Function', 'Property', 'Method', 'Accessor'
    ],
    router: 'module',
    hidePageHeader: true,
    hideBreadcrumbs: true,
    hideGroupHeadings: true,
    useCodeBlocks: false,
    parametersFormat: 'table',
    interfacePropertiesFormat: 'table',
    classPropertiesFormat: 'table',
    typeAliasPropertiesFormat: 'table',
    propertyMembersFormat: 'table',
    typeDeclarationFormat: 'table'
  })
  const defaults = new Set()
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => { simplify(project, defaults) })
  const unlinked = new Set()
  app.converter.addUnknownSymbolResolver(({ moduleSource, symbolReference }) => {
    // What TypeScript brings along is part of the language; our own types are checked by `notExported`.
    if (moduleSource !== 'typescript' && moduleSource !== ours) unlinked.add(`${moduleSource}: ${symbolReference?.path?.map(({ path }) => path).join('.')}`)
  })
  const project = await app.convert()
  assert.ok(project !== undefined, 'the types cannot be read')
  app.options.setValue('intentionallyNotDocumented', namedBySpecification(project))
  app.validate(project)
  const pages = new Map()
  app.renderer.on(PageEvent.END, ({ url, contents }) => { pages.set(url, contents) })
  await app.generateOutputs(project)
  assert.ok(!app.logger.hasErrors() && !app.logger.hasWarnings(), 'see above: write the comment in lib/, or export the type')
  assert.deepEqual([...unlinked], [], 'each type of another package has a link: see LIBRARIES')
  const modules = project.children.map(({ name }) => [name, pages.get(`${name}.md`)])
  assert.equal(modules.length, sources.length)
  return combine(modules, defaults)
}

/** Default exports under the name that they are imported by; without the keys that have a document of their own. */
function simplify (project, defaults) {
  for (const { children = [], name } of project.children) {
    for (const child of [...children]) {
      if (child.name === 'default') {
        const named = child.isReference() ? child.getTargetReflection().name : name.split('/').at(-1)
        defaults.add(`${name}.${named}`)
        if (child.isReference()) project.removeReflection(child)
        else child.name = named
      } else if (TABLED.includes(child.name)) {
        project.removeReflection(child.type.declaration)
        child.type = new IntrinsicType('object')
      }
    }
  }
}

/** The fields of an AsyncAPI document, which its specification describes. */
function namedBySpecification (project) {
  const fields = project.getReflectionsByKind(ReflectionKind.Property).filter(field => !field.hasComment())
  return fields.map(field => field.getFullName()).filter(name => name.startsWith(`${ours}.AsyncApi`))
}

const slug = heading => heading.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, '').replaceAll(' ', '-')

/** Headings that only say of what kind the next lines are. */
const DROPPED = new Set(['Accessors', 'Constructors', 'Methods', 'Properties', 'Get Signature', 'Type Declaration'])
const LABELS = new Set(['Example', 'Examples', 'Extended by', 'Extends', 'Parameters', 'Returns', 'Throws', 'Type Parameters', 'Union Members', 'Type Literal'])

/** With a list of what an entry exports, by name, after its first paragraph. */
function indexed (text) {
  const titles = [...text.matchAll(/^### (.*)$/gm)].map(([, title]) => title)
  if (titles.length === 0) return text
  const links = titles.toSorted((a, b) => a.localeCompare(b, 'en')).map(title => `[${title.replace(/ .*/, '')}](#${slug(title)})`)
  return text.replace(/^(?=### )/m, `${links.join(' · ')}\n\n`)
}

/**
 * One document of all entries. Its headings are the entries, the types and the methods, each of its own name, so that
 * links need no numbers.
 */
function combine (modules, defaults) {
  const anchors = new Map()
  const texts = modules.map(([name, text]) => {
    const seen = new Map()
    let type = ''
    let isCode = false
    const again = []
    const own = text.replaceAll(/^## \w+\n+Re-exports (\[.*\)$)/gm, (whole, link) => { again.push(link); return '' })
    const lines = own.replaceAll('\n\n***\n', '\n').split('\n').flatMap(line => {
      if (line.startsWith('```')) isCode = !isCode
      if (isCode) return [line]
      for (const [, anchor] of line.matchAll(/<a id="([^"]+)"><\/a>/g)) anchors.set(`${name}.md#${anchor}`, slug(type))
      const [, marks, raw] = /^(#+) (.*)$/.exec(line) ?? []
      if (marks === undefined) return [line.replaceAll(/<a id="[^"]+"><\/a> /g, '')]
      const heading = raw.replaceAll('\\', '')
      const count = seen.get(slug(heading)) ?? 0
      seen.set(slug(heading), count + 1)
      if (DROPPED.has(heading)) return []
      if (LABELS.has(heading)) return [`**${heading}**`]
      if (marks.length === 2) type = heading.replace(/\W.*/, '')
      const title = marks.length === 1 ? name : marks.length === 2 ? heading + (defaults.has(`${name}.${heading}`) ? ' (default export)' : '') : `${type}.${heading === 'Constructor' ? 'constructor()' : heading}`
      assert.ok(marks.length <= 4, `the heading "${heading}" is too deep`)
      anchors.set(`${name}.md${marks.length === 1 ? '' : `#${slug(heading)}${count === 0 ? '' : `-${count}`}`}`, slug(title))
      return [`#${'#'.repeat(marks.length === 1 ? 1 : marks.length === 2 ? 2 : 3)} ${title}`]
    })
    return `${lines.join('\n')}${again.length === 0 ? '' : `\n\nExported here too: ${again.join(', ')}.\n`}`
  })
  const titles = texts.flatMap(text => [...text.matchAll(/^#+ (.*)$/gm)].map(([, title]) => slug(title)))
  assert.deepEqual(titles.filter((title, index) => titles.indexOf(title) !== index), [], 'each heading is there once')
  const linked = texts.map((text, index) => text.replaceAll(/\]\((?!\w+:)([^)\s]+)\)/g, (link, target) => {
    const [page, anchor] = target.split('#')
    const { pathname } = new URL(page === '' ? `${modules[index][0]}.md` : page, `file:///${page === '' ? '' : modules[index][0]}`)
    const found = anchors.get(`${pathname.slice(1)}${anchor === undefined ? '' : `#${anchor}`}`)
    assert.ok(found !== undefined, `${modules[index][0]}: nothing is at ${target}`)
    return `](#${found})`
  }))
  const shorter = [HEAD, ...linked.map(indexed)].join('\n').replaceAll(/\n{3,}/g, '\n\n')
    // The signature has the type already.
    .replaceAll(/\*\*Returns\*\*\n\n.+\n\n(?=#|\*\*|$)/g, '')
    .replaceAll(/\*\*Type Parameters\*\*\n\n\| Type Parameter \|\n.*\n(?:\| `\w+` \|\n)+\n/g, '')
    .replaceAll('`false` \\| `true`', '`boolean`')
  return `${shorter.trimEnd()}\n`
}

const out = mkdtempSync(join(tmpdir(), 'reference-'))
try {
  writeFileSync(file, await reference())
} finally {
  rmSync(out, { recursive: true })
}
