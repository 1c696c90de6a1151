import type { Socket } from 'node:net'

interface Handle {
  readonly bytesWritten?: unknown
  readonly writeQueueSize?: unknown
}

/**
 * Bytes that the kernel has taken of what was written to a TCP socket. Of a write that is under way Node counts all
 * bytes as waiting until the last is taken, so that nothing public shows whether the client of a large one reads.
 *
 * It needs two properties of the socket's handle (libuv's stream, and under TLS the one below);
 * test/gateway/kernel.test.ts fails when a new version changes them. Fallback: bytes of the writes that are complete.
 */
export function takenBytes (socket: Socket): number {
  const { _handle: handle } = socket as { _handle?: (Handle & { _parent?: Handle }) | null }
  const { bytesWritten, writeQueueSize } = handle?._parent ?? handle ?? {}
  if (typeof bytesWritten === 'number' && typeof writeQueueSize === 'number') return bytesWritten - writeQueueSize
  return socket.bytesWritten - socket.writableLength
}
