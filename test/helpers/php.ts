import { spawnSync } from 'node:child_process'
import { findProgram } from './daemon.js'

/** Where PHP is; `undefined` where it is not installed. */
export const php = findProgram('php')

const has = (extension: string): boolean =>
  php !== undefined && spawnSync(php, ['-r', `exit(extension_loaded("${extension}") ? 0 : 1);`]).status === 0

/** For the option `skip` of a test: `false`, or how to get what is missing. */
export const withoutPhp: string | false = php === undefined && 'there is no PHP: apt-get install php-cli (Debian)'
export const withoutPhpCurl: string | false = !has('curl') && 'there is no PHP with curl: apt-get install php-cli php-curl (Debian)'
