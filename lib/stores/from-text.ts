import { memoryStore } from './memory/index.js'
import type { Store } from './store.js'
/** The store that a text such as `lmdb:./data` names; `undefined` if it names none. */
export function storeFrom (text: string): Store | undefined {
  if (text === 'memory:') return memoryStore()
  return undefined
}
