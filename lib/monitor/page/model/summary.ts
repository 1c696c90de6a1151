/** What an event is about, as far as one can filter by it. */
export const KINDS = [
  'other', 'text', 'image', 'audio', 'video', 'document', 'sticker', 'location', 'contact', 'reaction', 'poll',
  'status', 'deleted', 'edited', 'presence', 'chat', 'contacts', 'group', 'participants', 'connection', 'call',
  'label', 'qr', 'history', 'instance'
] as const
export type Kind = typeof KINDS[number]
export const DIRECTIONS = ['', 'in', 'out'] as const
export type Direction = typeof DIRECTIONS[number]

/** An event in one line. */
export interface Summary {
  readonly kind: Kind
  readonly direction: Direction
  /** The chat that it belongs to, such as a WhatsApp JID; empty: none. */
  readonly chat: string
  readonly who: string
  /** A word that the page translates, such as `composing`; empty: none. */
  readonly word: string
  readonly text: string
}

type Fields = Readonly<Record<string, unknown>>

const fields = (value: unknown): Fields => typeof value === 'object' && value !== null ? value as Fields : {}
const text = (value: unknown): string =>
  typeof value === 'string' ? value : typeof value === 'number' || typeof value === 'boolean' ? String(value) : ''
/** Some events carry a list, of which the first says enough. */
const first = (data: unknown): Fields => fields(Array.isArray(data) ? data[0] : data)
const countOf = (data: unknown): number => Array.isArray(data) ? data.length : 1

/** A WhatsApp JID as people write it: the number, or the end of a group's. */
export function personOf (jid: string): string {
  const [user = '', host = ''] = jid.split('@')
  if (host === 'g.us') return `#${user.slice(-6)}`
  return /^\d{6,15}$/.test(user.split(':')[0] ?? '') ? `+${user.split(':')[0]}` : user
}

const clock = (seconds: unknown): string =>
  typeof seconds === 'number' ? `${Math.floor(seconds / 60)}:${String(Math.round(seconds % 60)).padStart(2, '0')}` : ''

type Reader = readonly [kind: Kind, read: (content: Fields) => string]

/** What WhatsApp calls the content of a message, and what of it is read. */
const CONTENTS: Readonly<Record<string, Reader>> = {
  extendedTextMessage: ['text', content => text(content.text)],
  imageMessage: ['image', content => text(content.caption)],
  videoMessage: ['video', content => [clock(content.seconds), text(content.caption)].filter(Boolean).join(' ')],
  audioMessage: ['audio', content => clock(content.seconds)],
  documentMessage: ['document', content => text(content.fileName) || text(content.title)],
  documentWithCaptionMessage: ['document', content => text(content.fileName)],
  stickerMessage: ['sticker', () => ''],
  locationMessage: ['location', content => text(content.name) || coordinates(content)],
  liveLocationMessage: ['location', coordinates],
  contactMessage: ['contact', content => text(content.displayName)],
  contactsArrayMessage: ['contact', content => text(content.displayName)],
  reactionMessage: ['reaction', content => text(content.text)],
  pollCreationMessage: ['poll', content => text(content.name)],
  pollCreationMessageV3: ['poll', content => text(content.name)],
  buttonsResponseMessage: ['text', content => text(content.selectedDisplayText)],
  listResponseMessage: ['text', content => text(content.title)],
  templateButtonReplyMessage: ['text', content => text(content.selectedDisplayText)]
}

function coordinates ({ degreesLatitude, degreesLongitude }: Fields): string {
  return [degreesLatitude, degreesLongitude].map(text).filter(Boolean).join(', ')
}

function contentOf (message: Fields): Pick<Summary, 'kind' | 'text'> {
  const conversation = text(message.conversation)
  if (conversation !== '') return { kind: 'text', text: conversation }
  for (const [name, [kind, read]] of Object.entries(CONTENTS)) {
    if (message[name] !== undefined) return { kind, text: read(fields(message[name])) }
  }
  return { kind: 'other', text: text(message.text) || Object.keys(message)[0]?.replace(/Message$/, '') || '' }
}

/** What is the same in most events of a chat. */
function inChat (data: Fields, kind: Kind, word = '', more = ''): Summary {
  const key = fields(data.key)
  const chat = [key.remoteJid, data.remoteJid, data.chatId, data.id, data.from].map(text).find(Boolean) ?? ''
  const fromMe = key.fromMe ?? data.fromMe
  const direction = fromMe === true ? 'out' : fromMe === false ? 'in' : ''
  // The name that comes with an own message is one's own.
  const name = direction === 'out' ? '' : text(data.pushName)
  return { kind, direction, chat, who: name || personOf(chat), word, text: more }
}

function message (data: unknown): Summary {
  const entry = first(data)
  const { kind, text: said } = contentOf(fields(entry.message))
  return { ...inChat(entry, kind), text: said }
}

function presence (data: Fields): Summary {
  const [one] = Object.values(fields(data.presences))
  return inChat(data, 'presence', text(fields(one).lastKnownPresence))
}

function list (data: unknown, kind: Kind): Summary {
  const entry = first(data)
  const count = countOf(data)
  const unread = entry.unreadMessages
  const more = count > 1 ? `×${count}` : typeof unread === 'number' && unread > 0 ? `(${unread})` : ''
  return inChat(entry, kind, '', more)
}

function group (data: unknown): Summary {
  const entry = first(data)
  const members = Array.isArray(entry.participants) ? `×${entry.participants.length}` : ''
  return inChat(entry, 'group', '', [text(entry.subject), members].filter(Boolean).join(' '))
}

function participants (data: Fields): Summary {
  const names = (Array.isArray(data.participants) ? data.participants : [])
    .map(each => personOf(text(each) || text(fields(each).id)))
  return inChat(data, 'participants', text(data.action), names.slice(0, 3).join(', '))
}

function connection (data: Fields): Summary {
  const code = text(data.statusReason)
  const who = personOf(text(data.wuid))
  return { kind: 'connection', direction: '', chat: '', who, word: text(data.state), text: code && `(${code})` }
}

function call (data: Fields): Summary {
  const from = text(data.from)
  const kind = data.isVideo === true ? 'video' : 'voice'
  return { ...inChat(data, 'call', kind, text(data.status)), direction: 'in', who: personOf(from) }
}

function label (data: Fields): Summary {
  return inChat(data, 'label', text(data.type), text(data.name) || text(data.labelId))
}

/** The first values that can be read, for events that are not known. */
function plain (data: unknown, kind: Kind = 'other'): Summary {
  const scalars = Object.entries(first(data))
    .filter(([, value]) => text(value) !== '' && text(value).length < 80)
    .map(([key, value]) => `${key}: ${text(value)}`)
  return { kind, direction: '', chat: '', who: '', word: '', text: text(data) || scalars.slice(0, 4).join(' · ') }
}

const READERS: Readonly<Record<string, (data: unknown) => Summary>> = {
  'messages.upsert': message,
  'send.message': message,
  'messages.set': data => ({ ...message(data), kind: 'history', direction: '', text: `×${countOf(data)}` }),
  'messages.edited': data => ({ ...message(data), kind: 'edited' }),
  'send.message.update': data => ({ ...message(data), kind: 'edited' }),
  'messages.update': data => inChat(first(data), 'status', text(first(data).status)),
  'messages.delete': data => inChat(first(data), 'deleted'),
  'presence.update': data => presence(fields(data)),
  'groups.upsert': group,
  'groups.update': group,
  'group-participants.update': data => participants(fields(data)),
  'connection.update': data => connection(fields(data)),
  'qrcode.updated': data => ({ ...plain({}, 'qr'), text: text(fields(fields(data).qrcode).pairingCode) }),
  'labels.association': data => label(fields(data)),
  'labels.edit': data => label(fields(data)),
  call: data => call(first(data))
}

/** Says an event in one line; the shapes of WhatsApp's are known. */
export function summarize (event: string, data: unknown): Summary {
  const read = Object.hasOwn(READERS, event) ? READERS[event] : undefined
  if (read !== undefined && typeof data === 'object' && data !== null) return read(data)
  const [family = ''] = event.split('.')
  if (family === 'chats' && typeof data === 'object') return list(data, 'chat')
  if (family === 'contacts' && typeof data === 'object') return list(data, 'contacts')
  return plain(data, family.endsWith('instance') || event.endsWith('.instance') ? 'instance' : 'other')
}
