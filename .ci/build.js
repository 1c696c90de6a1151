// Makes dist/ of lib/: JavaScript by esbuild, one file for each way in; `npm run build` then adds the types.
// `npm run cluster` and its like load it by --import before the program, and `exec` it: npm signals only the shell that it
// starts, which passes nothing on.
import { build, stop } from 'esbuild'
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { brotliCompressSync } from 'node:zlib'

const { dependencies, optionalDependencies, peerDependencies } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))

// TypeBox is some 300 small modules: to load them takes longer than all other code of this package. So the build has it,
// in one file. It stays a dependency for its types.
const INLINED = '@sinclair/typebox'

const common = {
  absWorkingDir: fileURLToPath(new URL('..', import.meta.url)),
  bundle: true,
  format: 'esm',
  outbase: 'lib',
  outdir: 'dist',
  sourcemap: true,
  sourcesContent: false,
  logLevel: 'warning',
  // Everything else, fastify-socket.io that is, becomes a part of the package.
  external: Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies }).filter(name => name !== INLINED)
}

// The page of the monitor, whole: nothing of it comes from elsewhere.
await build({
  ...common,
  entryPoints: [
    { in: 'lib/monitor/page/main.tsx', out: 'page' },
    { in: 'lib/monitor/page/page.css', out: 'page' },
    { in: 'lib/monitor/page/index.html', out: 'index' }
  ],
  loader: { '.html': 'copy' },
  external: [],
  outbase: undefined,
  outdir: 'dist/monitor',
  sourcemap: false,
  minify: true,
  platform: 'browser',
  jsx: 'automatic',
  jsxImportSource: 'preact',
  target: ['es2022', 'chrome123', 'firefox120', 'safari17.5']
})

/**
 * Puts the page into the code that serves it: an application that is bundled finds no files of ours beside it.
 */
const pageInCode = {
  name: 'page in code',
  setup ({ onLoad }) {
    onLoad({ filter: /lib\/monitor\/page-files\.ts$/ }, () => {
      const text = name => JSON.stringify(readFileSync(new URL(`../dist/monitor/${name}`, import.meta.url), 'utf8'))
      const files = ['index.html', 'page.js', 'page.css'].map(name => `${JSON.stringify(name)}: ${text(name)}`)
      return { contents: `const files = {${files.join(', ')}}\nexport const pageFile = name => Buffer.from(files[name])` }
    })
  }
}

/**
 * Has fastify-socket.io, which is CommonJS, import what it requires. Else the build would need a `require` of its own,
 * which is not there in a bundle, or collides with that of one.
 */
const importInstead = {
  name: 'import instead of require',
  setup ({ onResolve, onLoad }) {
    const contents = {
      'fastify-plugin': "export { default } from 'fastify-plugin'",
      'socket.io': "export { Server } from 'socket.io'"
    }
    onResolve({ filter: /^(fastify-plugin|socket\.io)$/ }, ({ path, kind }) =>
      kind === 'require-call' ? { path, namespace: 'imported' } : undefined)
    onLoad({ filter: /.*/, namespace: 'imported' }, ({ path }) => ({ contents: contents[path], resolveDir: common.absWorkingDir }))
  }
}

await build({
  ...common,
  // demo/index.ts finds the session beside itself.
  entryPoints: ['lib/bin/index.ts', 'lib/bin/demo/index.ts', 'lib/index.ts', 'lib/gateway/io.ts', 'lib/monitor/index.ts', 'lib/stores/index.ts'],
  splitting: true,
  platform: 'node',
  target: 'node20',
  plugins: [pageInCode, importInstead]
})

// Runs in browsers too.
await build({
  ...common,
  entryPoints: ['lib/client/index.ts'],
  platform: 'neutral',
  target: 'es2022'
})

// The beginning of the example's session, in which every kind of event comes: all of it would be most of the package.
const EVENTS = 500
const root = new URL('..', import.meta.url)
const session = readFileSync(new URL('example/session.jsonl', root), 'utf8').split('\n').slice(0, EVENTS)
// Its thumbnails and QR codes are noise: the demonstration shows pictures.
const picture = name => readFileSync(new URL(`lib/bin/demo/pictures/${name}`, root), 'base64')
const pictures = ['beach.jpg', 'parcel.jpg', 'receipt.jpg', 'cat.jpg'].map(picture)
const qr = picture('qr.png')
let shown = 0
const played = session.map(line => line
  .replace(/("jpegThumbnail":\s*")[^"]*/g, (_, key) => key + pictures[shown++ % pictures.length])
  .replace(/("base64":\s*"data:image\/png;base64,)[^"]*/g, (_, key) => key + qr))
writeFileSync(new URL('dist/bin/demo/session.jsonl.br', root), brotliCompressSync(played.join('\n')))

// npm does this when it installs the package; here for who runs it from the clone.
chmodSync(new URL('dist/bin/index.js', root), 0o755)

// Its process would live as long as the program.
await stop()
