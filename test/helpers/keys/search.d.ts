export declare class KeySearch {
  readonly ordinary: ReadonlySet<string>
  constructor (keys: Iterable<string>)
  in (text: Buffer): Iterable<{ readonly key: string, readonly line: string }>
}
