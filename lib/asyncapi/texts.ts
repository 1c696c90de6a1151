/** Descriptions in the document. */
import { MAX_NAME_LENGTH } from '../instances/names.js'

export const ABOUT = `Events, for clients of Socket.IO (protocol version 5, that is a client of version 3 or later; a plain WebSocket will not do). The address of a channel is the Socket.IO namespace, the name of a message is the name of the Socket.IO event, and its payload is the event's one argument.

A binary part of \`data\` arrives as binary (\`Buffer\`, \`ArrayBuffer\`, \`bytes\`).

A client that is refused gets a \`connect_error\` with \`data\` of { code, statusCode, message, retry }. With \`retry: true\` a later try may succeed. A passing fault ends the connection instead, and a stock client comes back by itself.`

export const RESUME = `**Resume.** Every message has an \`id\`. A client that gives the last one it has had as \`auth.lastEventId\` gets everything after it, in order, each once, then what is live. It is told first, by \`ws.ready\`:
- \`recovered: true\`: all that came after its id follows. \`lastEventId\` is the one that it brought.
- \`recovered: false\`: that cannot be had any more. Nothing is replayed, and the client must load its state anew. \`lastEventId\` is the newest.
- \`recovered: null\`: it gave an empty text, so as to take part from now on. \`lastEventId\` is the newest.

A client that keeps ids also keeps \`lastEventId\` of \`ws.ready\` and of \`ws.position\`. One that gives no \`lastEventId\` is told neither; one that resumes by \`stockResume\` is told \`ws.position\`.`

export const FILTER = '**Filter.** `auth.events` (a list of names, `messages.*` allowed) and, at the root, `auth.instances` say what the client wants; empty or missing is all. `subscribe` sets the whole filter later.'

export const INSTANCE_NAME = `The instance's name: at most ${MAX_NAME_LENGTH} characters (UTF-16 units), without / \\ , ? # % and control characters; percent-encoded or not`
