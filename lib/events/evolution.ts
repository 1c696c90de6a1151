import { Type } from '@sinclair/typebox'

/** An event whose data can be anything. */
const event = (description: string) => Type.Unknown({ description })

/**
 * The events of Evolution API, by the names that its clients listen to; `docs/events.md` lists them. Spread it to add
 * your own events:
 * `events: { ...evolutionEvents, 'order.paid': Type.Object({ id: Type.String() }) }`.
 */
export const evolutionEvents = {
  'application.startup': event('the service has started'),
  'qrcode.updated': event('a new QR code to scan, as base64'),
  'connection.update': event('state of the WhatsApp connection: connecting, open, close'),
  'status.instance': event('status of the instance'),
  'instance.create': event('an instance was created'),
  'instance.delete': event('an instance was deleted'),
  'remove.instance': event('an instance was removed from memory'),
  'logout.instance': event('an instance was logged out'),
  'messages.set': event('all messages loaded at history sync; extra keys isLatest, progress'),
  'messages.upsert': event('a message was received'),
  'messages.edited': event('a message was edited'),
  'messages.update': event('a message changed status: SERVER_ACK, DELIVERY_ACK, READ, PLAYED'),
  'messages.delete': event('a message was deleted'),
  'send.message': event('a message was sent through the API'),
  'send.message.update': event('a message sent through the API was edited'),
  'contacts.set': event('first load of all contacts'),
  'contacts.upsert': event('contacts were added or reloaded'),
  'contacts.update': event('a contact changed'),
  'presence.update': event('online, typing, recording, last seen'),
  'chats.set': event('all chats loaded'),
  'chats.upsert': event('a chat was added'),
  'chats.update': event('a chat changed'),
  'chats.delete': event('a chat was deleted'),
  'groups.upsert': event('a group was created'),
  'groups.update': event("a group's subject or settings changed"),
  'group-participants.update': event('participants: add, remove, promote, demote'),
  'labels.edit': event('a label was edited'),
  'labels.association': event('a label was put on a chat or taken off'),
  call: event('a call: offer, ringing, accept, reject, timeout'),
  'typebot.start': event('a typebot session started'),
  'typebot.change-status': event('a typebot session changed status')
}

/** Evolution uses this name for an event in configs. It matches no event, but Evolution's clients still send it. */
export const evolutionAliases: ReadonlyMap<string, string> = new Map([['GROUP_UPDATE', 'groups.update']])
