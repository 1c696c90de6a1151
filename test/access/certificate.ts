import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { findProgram } from '../helpers/daemon.js'

const program = findProgram('openssl')

/** For the option `skip` of a test: `false`, or how to get what is missing. */
export const withoutOpenssl: string | false = program === undefined && 'there is no openssl to make a certificate: apt-get install openssl (Debian), or put openssl on the PATH'

/** A certificate of this machine, for one test. */
export interface Certificate {
  /** The files of a directory. */
  readonly certFile: string
  readonly keyFile: string
  /** What its clients trust. */
  readonly ca: string
  readonly key: string
}

/** Makes a certificate for 127.0.0.1 and localhost, signed by itself. */
export function makeCertificate (directory: string): Certificate {
  if (program === undefined) throw new Error(String(withoutOpenssl))
  const [certFile, keyFile] = [join(directory, 'fullchain.pem'), join(directory, 'privkey.pem')]
  const made = spawnSync(program, ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=127.0.0.1',
    '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost', '-keyout', keyFile, '-out', certFile], { encoding: 'utf8' })
  if (made.status !== 0) throw new Error(`openssl: ${made.stderr}`)
  return { certFile, keyFile, ca: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') }
}
