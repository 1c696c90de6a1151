import { readFileSync } from 'node:fs'

/** What Linux is asked for by tcp(7), in bytes. */
function largestBuffer (name: 'tcp_rmem' | 'tcp_wmem'): number {
  try {
    // Least, default, most.
    return Number(readFileSync(`/proc/sys/net/ipv4/${name}`, 'utf8').split(/\s+/)[2])
  } catch {
    // Another system.
    return 16 * 1024 * 1024
  }
}

/**
 * The most that the kernel holds of a TCP connection whose reader reads nothing, in bytes.
 * A test in which something has to wait in the server writes more.
 */
export const KERNEL_BYTES = largestBuffer('tcp_rmem') + largestBuffer('tcp_wmem')
