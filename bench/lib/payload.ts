/** Data that looks like WhatsApp's, of a given size, so that serializing and copying cost what they cost in life. */

export const INSTANCE = 'acme'
export const EVENT = 'messages.upsert'
export const SENDER = '5511900000000@s.whatsapp.net'

const WORDS = ['obrigado', 'às', 'três', 'pedido', 'confirmar', 'preço', 'pix', 'entrega', 'já', 'enviado', 'nota', 'fiscal', 'amanhã', 'ok', '👍', 'horas']
const NAMES = ['Célia', 'Inês', 'Fábio', 'João', 'Maria', 'Zé']

/** Numbers that are the same in every run (Park and Miller's generator). */
function numbers (seed: number): (below: number) => number {
  let state = seed
  return below => {
    state = state * 48_271 % 2_147_483_647
    return state % below
  }
}

const bytesOf = (data: unknown): number => Buffer.byteLength(JSON.stringify(data))

interface WhatsAppMessage {
  readonly message: { conversation: string }
}

function message (next: (below: number) => number, bytes: number): WhatsAppMessage {
  const made = {
    key: { remoteJid: `55119${10_000_000 + next(9_000_000)}@s.whatsapp.net`, fromMe: false, id: `3EB0${next(2 ** 31).toString(16).toUpperCase().padStart(8, '0')}` },
    pushName: NAMES[next(NAMES.length)],
    message: { conversation: '' },
    messageType: 'conversation',
    messageTimestamp: 1_767_225_600 + next(86_400),
    source: 'android'
  }
  const missing = bytes - bytesOf(made)
  let text = ''
  while (Buffer.byteLength(text) < missing) text += `${WORDS[next(WORDS.length)]} `
  while (Buffer.byteLength(text) > missing) text = text.slice(0, -1)
  made.message.conversation = text.padEnd(text.length + missing - Buffer.byteLength(text), '.')
  return made
}

/** One message of so many bytes as JSON, or a list of messages when that is more than one is likely to have. */
export function payload (bytes: number, seed = 1): object {
  const next = numbers(seed)
  if (bytes <= 1000) return message(next, bytes)
  const messages: WhatsAppMessage[] = []
  const each = 500
  let left = bytes - bytesOf({ messages: [] })
  while (left >= 2 * each) {
    messages.push(message(next, each))
    left -= each + 1
  }
  return { messages: [...messages, message(next, left)] }
}

/** Several of one size, so that no engine can remember the only one. */
export function payloads (bytes: number): readonly object[] {
  return Array.from({ length: 16 }, (_, index) => payload(bytes, index + 1))
}

let made = 0

/** What the peers send: as long as ours. */
export function envelope (data: unknown, instance = INSTANCE): object {
  return {
    id: (++made).toString(36).padStart(19, '0'),
    event: EVENT,
    instance,
    data,
    server_url: null,
    date_time: new Date().toISOString(),
    sender: SENDER
  }
}
