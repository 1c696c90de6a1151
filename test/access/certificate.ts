import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findProgram } from '../helpers/daemon.js'

const program = findProgram('openssl')

/** For the option `skip` of a test: `false`, or how to get what is missing. */
export const withoutOpenssl: string | false = program === undefined && 'there is no openssl to make a certificate: apt-get install openssl (Debian), or put openssl on the PATH'

/** A certificate of this machine. */
export interface Certificate {
  /** The files of a directory. */
  readonly certFile: string
  readonly keyFile: string
  /** What its clients trust. */
  readonly ca: string
  readonly key: string
}

/** The first that was made: a process needs no second one. */
let made: { readonly ca: string, readonly key: string } | undefined

/** Puts a certificate for 127.0.0.1 and localhost, signed by itself, into a directory. */
export function makeCertificate (directory: string): Certificate {
  const [certFile, keyFile] = [join(directory, 'fullchain.pem'), join(directory, 'privkey.pem')]
  if (made === undefined) made = make(certFile, keyFile)
  else {
    writeFileSync(certFile, made.ca)
    writeFileSync(keyFile, made.key, { mode: 0o600 })
  }
  return { certFile, keyFile, ...made }
}

function make (certFile: string, keyFile: string): { ca: string, key: string } {
  if (program === undefined) throw new Error(String(withoutOpenssl))
  const { status, stderr } = spawnSync(program, ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=127.0.0.1',
    '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost', '-keyout', keyFile, '-out', certFile], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`openssl: ${stderr}`)
  return { ca: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') }
}
