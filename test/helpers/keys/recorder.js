// Loaded by `--import` into every process of a test run, see .ci/keys.js: keeps the log of every Fastify server, at
// level trace, and every key that is configured or that a client sends. Tests know nothing of it.
import { subscribe } from 'node:diagnostics_channel'
import { appendFileSync } from 'node:fs'
import { Server } from 'node:http'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

/** It stands in the URL that this module was loaded by, because some processes are given an environment of their own. */
const directory = fileURLToPath(new URL(import.meta.url).searchParams.get('directory'))
const require = createRequire(import.meta.url)
/** What a package requires is the copy that it uses itself. */
const requireOf = (name, dependency) => createRequire(require.resolve(name))(dependency)
/** Files of this process, which may have the id of an earlier one. */
const fileOf = kind => join(directory, `${process.pid}.${kind}`)

// Keys

const known = new Set()

/** @param value whatever came where a key is expected */
function note (value, from) {
  if (Array.isArray(value)) for (const each of value) note(each, from)
  if (typeof value !== 'string' || known.has(value)) return
  known.add(value)
  appendFileSync(fileOf('keys'), `${JSON.stringify({ key: value.trim(), from })}\n`)
}

/** @param url with a query, or a namespace that somebody has put one behind */
function noteQuery (url) {
  if (/apikey=/i.test(url)) note(new URLSearchParams(url.slice(url.indexOf('?') + 1)).getAll('apikey'), 'a query')
}

function noteRequest ({ url, headers }) {
  noteQuery(url)
  note(headers.apikey, 'the header apikey')
  note(/^Bearer +(.+)$/i.exec(headers.authorization ?? '')?.[1], 'the header authorization')
}

const { emit } = Server.prototype
// Not by the channel `http.server.request.start`, which does not tell of upgrades, nor by the event: the plugin takes
// upgrades before anybody hears of them.
Server.prototype.emit = function (event, ...args) {
  const isHeard = emit.call(this, event, ...args)
  if (event === 'connection') watchParser(args[0])
  return isHeard
}

/** @param socket whose parser calls `onIncoming` with each request */
function watchParser ({ parser }) {
  const { onIncoming } = parser
  parser.onIncoming = function (request, ...rest) {
    noteRequest(request)
    return onIncoming.call(this, request, ...rest)
  }
}

/** The plugin gives an upgrade of Socket.IO's path to Engine.IO without emitting it. */
function watchUpgrades () {
  const { Server: Engine } = requireOf('socket.io', 'engine.io')
  const { handleUpgrade } = Engine.prototype
  Engine.prototype.handleUpgrade = function (request, ...args) {
    noteRequest(request)
    return handleUpgrade.call(this, request, ...args)
  }
}

/** The packets of clients that ask for a namespace have `auth` in them. */
function watchPackets () {
  const { Decoder, PacketType: { CONNECT } } = requireOf('socket.io', 'socket.io-parser')
  const { add } = Decoder.prototype
  Decoder.prototype.add = function (packet) {
    if (typeof packet === 'string' && packet.startsWith(String(CONNECT))) noteConnect(packet)
    return add.call(this, packet)
  }
}

function noteConnect (packet) {
  const start = packet.indexOf('{')
  noteQuery(packet.slice(0, start === -1 ? undefined : start))
  // What is no JSON is no key either.
  if (start !== -1) note(/"apikey":("(?:[^"\\]|\\.)*")/.exec(packet)?.slice(1).map(text => JSON.parse(text)), 'auth.apikey')
}

function noteOptions (options) {
  note(options?.apikey, 'the option apikey')
  note((options?.env ?? process.env).AUTHENTICATION_API_KEY, 'AUTHENTICATION_API_KEY')
}

// Logs

const TRACE = 10
const pino = () => requireOf('fastify', 'pino')
let own
let opened

/** A logger with Fastify's own serializers that writes into the record alone. */
function recordingLogger () {
  const { serializers } = require('fastify/lib/logger-pino.js')
  own ??= pino()({ level: 'trace', serializers }, destination())
  return own
}

/** Written at once: processes of tests are killed. */
function destination () {
  opened ??= pino().destination({ dest: fileOf('log'), sync: true })
  return opened
}

/** A stream that records all, and passes on what its logger would have written. */
function tee (stream, level) {
  return {
    // Has pino tell of each line who wrote it, and how urgent it is.
    [Symbol.for('pino.metadata')]: true,
    lastLevel: 0,
    lastLogger: undefined,
    write (line) {
      destination().write(line)
      // A child with a level of its own has kept to it already.
      if (this.lastLevel >= level || this.lastLogger.levelVal !== TRACE) stream.write(line)
    },
    flush: done => { stream.flush?.(done) },
    flushSync: () => { stream.flushSync?.() },
    end: () => { stream.end?.() }
  }
}

/** Where a logger keeps its stream. An application in a folder of its own has another copy of pino than this one. */
function streamSymbol (logger) {
  for (let object = logger; object !== null; object = Object.getPrototypeOf(object)) {
    const found = Object.getOwnPropertySymbols(object).find(({ description }) => description === 'pino.stream')
    if (found !== undefined) return found
  }
  throw new TypeError('this logger of pino has no stream')
}

function recordLogger (logger) {
  const symbol = streamSymbol(logger)
  logger[symbol] = tee(logger[symbol], logger.levelVal)
  logger.level = 'trace'
}

/** A server without a logger has one that does nothing. */
function recordSilent (fastify) {
  const recording = recordingLogger()
  for (const level of ['fatal', 'error', 'warn', 'info', 'debug', 'trace']) fastify.log[level] = recording[level].bind(recording)
  fastify.log.child = (...args) => recording.child(...args)
  const serializers = Symbol.for('pino.serializers')
  fastify.log[serializers] = recording[serializers]
  fastify.setChildLoggerFactory((logger, ...args) => recording.child(...args.slice(0, 2)))
}

function watchRegister (fastify) {
  const { register } = fastify
  fastify.register = function (plugin, options, ...more) {
    noteOptions(options)
    return register.call(this, plugin, options, ...more)
  }
}

function watchStderr () {
  const { write } = process.stderr
  process.stderr.write = function (text, ...more) {
    destination().write(`${JSON.stringify({ stderr: String(text) })}\n`)
    return write.call(this, text, ...more)
  }
}

let watching = false

subscribe('fastify.initialization', ({ fastify }) => {
  if (!watching) {
    watching = true
    watchPackets()
    watchUpgrades()
    watchStderr()
  }
  watchRegister(fastify)
  if (typeof fastify.log.levelVal === 'number') recordLogger(fastify.log)
  else recordSilent(fastify)
})
