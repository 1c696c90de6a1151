// Runs a command, as in `node .ci/keys.js tap`, with a record of what every server in it logs, at level trace, and of
// every key that is configured or that a client sends. Fails when a key is in the log.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { KeySearch } from '../test/helpers/keys/search.js'

const RECORDER = new URL('../test/helpers/keys/recorder.js', import.meta.url)
const WITHIN = fileURLToPath(new URL('../.tap/', import.meta.url))
/** Lines with a key that are shown. */
const MOST = 20
const NEWLINE = 10

async function run ([command, ...args], directory) {
  const { NODE_OPTIONS = '', ...env } = process.env
  const recorder = new URL(RECORDER)
  recorder.searchParams.set('directory', pathToFileURL(directory).href)
  const child = spawn(command, args, {
    stdio: 'inherit',
    // A search within a search has its own record: its tests log keys on purpose.
    env: { ...env, NODE_OPTIONS: [...NODE_OPTIONS.split(' ').filter(option => !option.includes(RECORDER.pathname)), `--import=${recorder}`].join(' ') }
  })
  const [code, signal] = await once(child, 'exit')
  return code ?? signal
}

/** The files of a kind, one by one: together they may be large. */
function * recorded (directory, kind) {
  for (const file of readdirSync(directory)) {
    if (file.endsWith(`.${kind}`)) yield { file, text: readFileSync(join(directory, file)) }
  }
}

/** Map(key -> where it was seen first) */
function readKeys (directory) {
  const keys = new Map()
  for (const { file, text } of recorded(directory, 'keys')) {
    for (const line of text.toString().trimEnd().split('\n')) {
      const { key, from } = JSON.parse(line)
      if (key !== '' && !keys.has(key)) keys.set(key, `${from}, ${file}`)
    }
  }
  return keys
}

function count (byte, text) {
  let found = 0
  for (const each of text) if (each === byte) found++
  return found
}

/** Says whether a key is in the log. */
function check (directory) {
  const keys = readKeys(directory)
  const search = new KeySearch(keys.keys())
  let lines = 0
  let hits = 0
  for (const { file, text } of recorded(directory, 'log')) {
    lines += count(NEWLINE, text)
    for (const { key, line } of search.in(text)) {
      if (++hits <= MOST) console.error(`the key ${JSON.stringify(key)} (${keys.get(key)}) is in the log, ${file}:\n  ${line.slice(0, 1000)}`)
    }
  }
  const found = hits === 0 ? 'no hit' : `${hits} hits`
  console.log(`${keys.size} keys looked for in ${lines} log lines: ${found} (${search.ordinary.size} of the keys are ordinary words, looked for as whole values)`)
  // A record that was not made would have no hit either.
  if (keys.size === 0 || lines === 0) console.error('nothing was recorded')
  return hits === 0 && keys.size > 0 && lines > 0
}

mkdirSync(WITHIN, { recursive: true })
const directory = mkdtempSync(join(WITHIN, 'keys-'))
const ended = await run(process.argv.slice(2), directory)
if (ended !== 0) {
  console.error(`the command has failed (${ended})`)
  process.exitCode = 1
}
if (check(directory)) {
  rmSync(directory, { recursive: true })
} else {
  console.error(`the record is in ${directory}`)
  process.exitCode = 1
}
