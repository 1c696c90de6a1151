/** Something that a test lets happen. */
export interface Latch {
  readonly opened: Promise<void>
  open (): void
}

export function latch (): Latch {
  let open = () => {}
  const opened = new Promise<void>(resolve => { open = resolve })
  return { opened, open }
}

/** Resolves to what another turn of the event loop finds, as soon as it is something. */
export async function eventually<Found> (find: () => Found | undefined | false): Promise<Found> {
  for (;;) {
    const found = find()
    if (found !== undefined && found !== false) return found
    await new Promise(resolve => { setImmediate(resolve) })
  }
}
