import { spawnSync } from 'node:child_process'
import { folder } from './documents.js'
import { Program } from './program.js'
import type { Test } from 'tap'

const MODULES = 'socketio, requests, websocket, aiohttp'

/** A Python that has Socket.IO's client. The first on the PATH may be another one than the system's packages are for. */
const python = ['python3', '/usr/bin/python3'].find(command => spawnSync(command, ['-c', `import ${MODULES}`]).status === 0)
const MISSING = `no python3 has ${MODULES}: apt-get install python3-socketio python3-requests python3-websocket python3-aiohttp (Debian), or pip install "python-socketio[client,asyncio_client]"`

/** For the option `skip` of a test: `false`, or how to get what is missing. */
export const withoutPython: string | false = python === undefined && MISSING

/** Runs a program in Python. Ended with the test. */
export function runPython (t: Test, code: string, args: readonly string[] = []): Program {
  const directory = folder(t, [['client.py', code]])
  return new Program(t, python ?? '', ['client.py', ...args], { cwd: directory, env: { PYTHONUNBUFFERED: '1' } })
}
