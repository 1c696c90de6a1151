import type { Socket } from 'node:net'

interface Handle {
  readonly bytesWritten?: unknown
  readonly writeQueueSize?: unknown
}

/**
 * Bytes written to a TCP socket that the kernel has accepted. Node's public counters treat all bytes of a pending write
 * as queued until the last byte is accepted, so they do not show whether a client reads a large message.
 *
 * It needs two properties of the socket's handle (libuv's stream, and under TLS the one below);
 * test/gateway/kernel.test.ts fails when a new version changes them. Fallback: bytes of the completed writes.
 */
export function takenBytes (socket: Socket): number {
  const { _handle: handle } = socket as { _handle?: (Handle & { _parent?: Handle }) | null }
  const { bytesWritten, writeQueueSize } = handle?._parent ?? handle ?? {}
  if (typeof bytesWritten === 'number' && typeof writeQueueSize === 'number') return bytesWritten - writeQueueSize
  return socket.bytesWritten - socket.writableLength
}
