import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/**
 * What is the same until the machine goes down, or `null` where this cannot be told. LMDB looks at the same, to know
 * whether what was written but not flushed is still there: so without it a commit survives a SIGKILL only when flushed.
 */
export function bootId (): string | null {
  try {
    if (process.platform === 'linux') return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    if (process.platform === 'darwin') {
      return execFileSync('/usr/sbin/sysctl', ['-n', 'kern.bootsessionuuid'], { encoding: 'utf8' }).trim()
    }
  } catch {
    // Some sandboxes hide it. Nothing is lost by that but speed.
  }
  return null
}
