import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/**
 * An id of the machine's current boot; `null` if the system has none. LMDB uses the same id to decide whether data that
 * was not flushed can still be there. Without an id, a commit survives a SIGKILL only after it is flushed.
 */
export function bootId (): string | null {
  try {
    if (process.platform === 'linux') return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    if (process.platform === 'darwin') {
      return execFileSync('/usr/sbin/sysctl', ['-n', 'kern.bootsessionuuid'], { encoding: 'utf8' }).trim()
    }
  } catch {
    // Some sandboxes hide the boot id. The store is then slower, because it waits for flushes.
  }
  return null
}
