import type { Verify, VerifyAnswer, VerifyRequest } from '../../lib/index.js'
import { eventually } from '../helpers/latch.js'

/** What the host's own check answers about a key; a function may throw, or take its time. */
type Answer = VerifyAnswer | ((request: VerifyRequest) => VerifyAnswer | Promise<VerifyAnswer>)

/** A host's keys, which a test gives, changes and takes back. */
export class Keyring {
  /** How often it was asked, about whatever key. */
  asked = 0
  // Map(key -> what it opens)
  readonly #answers = new Map<string | null, Answer>()

  /** @param answers by the keys that there are at first */
  constructor (answers: Readonly<Record<string, Answer>> = {}) {
    for (const [apikey, answer] of Object.entries(answers)) this.give(apikey, answer)
  }

  readonly verify: Verify = async request => {
    this.asked++
    const answer = this.#answers.get(request.apikey) ?? false
    return typeof answer === 'function' ? await answer(request) : answer
  }

  give (apikey: string, answer: Answer): void {
    this.#answers.set(apikey, answer)
  }

  revoke (apikey: string): void {
    this.#answers.delete(apikey)
  }

  /** Resolves when it has been asked so many times more. */
  async askedAgain (times = 1): Promise<void> {
    const enough = this.asked + times
    await eventually(() => this.asked >= enough)
  }
}
