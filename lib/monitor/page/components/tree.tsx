import { useState } from 'preact/hooks'
import type { Message } from '../../../types.js'
import { type App, problemOf } from '../app.js'
import { isBase64, Omitted, pictureIn, pictureType } from '../model/compact.js'
import { bytes, number, text } from '../texts.js'
import { copy, Marked, save } from './parts.js'

/** Entries and characters that are shown at first. */
const ENTRIES = 50
const CHARACTERS = 240
/** How many levels are unfolded at first. */
const UNFOLDED = 4

type Props = { app: App, message: Message }
type NodeProps = Props & { name: string, value: unknown, path: readonly string[] }

/** The JSON of an event: its data first. */
export function Tree ({ app, message }: Props) {
  const { data, ...rest } = message
  return (
    <ul class='tree'>
      <Node app={app} message={message} name='data' value={data} path={['data']} />
      {Object.entries(rest).map(([name, value]) => (
        <Node key={name} app={app} message={message} name={name} value={value} path={[name]} />
      ))}
    </ul>
  )
}

function Node (props: NodeProps) {
  const { value } = props
  if (value instanceof Omitted) return <Left {...props} value={value} />
  return typeof value === 'object' && value !== null ? <Branch {...props} value={value} /> : <Leaf {...props} />
}

function Branch ({ app, message, name, value, path }: NodeProps & { value: object }) {
  const [isOpen, setOpen] = useState(path.length < UNFOLDED)
  const [isWhole, setWhole] = useState(false)
  const entries = Object.entries(value)
  const count = number(entries.length)
  return (
    <li>
      <details open={isOpen} onToggle={({ currentTarget }) => { setOpen(currentTarget.open) }}>
        <summary>
          <Key app={app} name={name} /> <span class='more'>{Array.isArray(value) ? `[${count}]` : `{${count}}`}</span>
        </summary>
        {isOpen && (
          <ul>
            {(isWhole ? entries : entries.slice(0, ENTRIES)).map(([key, each]) => (
              <Node key={key} app={app} message={message} name={key} value={each} path={[...path, key]} />
            ))}
            {!isWhole && entries.length > ENTRIES && (
              <li><button type='button' class='quiet' onClick={() => { setWhole(true) }}>{text('showAll')}</button></li>
            )}
          </ul>
        )}
      </details>
      <CopyButton app={app} name={name} value={value} />
    </li>
  )
}

const Key = ({ app, name }: { app: App, name: string }) => (
  <span class='key'><Marked text={name} needle={app.view.text} />:</span>
)

const CopyButton = ({ app, name, value }: { app: App, name: string, value: unknown }) => (
  <button
    type='button'
    class='quiet copy'
    aria-label={`${text('copy')} ${name}`}
    onClick={() => { void copy(app, typeof value === 'string' ? value : JSON.stringify(value, null, 2)) }}
  >
    ⧉
  </button>
)

function Leaf ({ app, name, value }: NodeProps) {
  const [isWhole, setWhole] = useState(false)
  const said = typeof value === 'string' ? value : JSON.stringify(value)
  const isCut = said.length > CHARACTERS && !isWhole
  const kind = typeof value === 'string' && isBase64(value) ? pictureType(value) ?? 'base64' : null
  return (
    <li>
      <Key app={app} name={name} />{' '}
      {kind !== null && !isWhole
        ? <Chip kind={kind} size={said.length} />
        : (
          <span class={`value is-${value === null ? 'null' : typeof value}`}>
            <Marked text={isCut ? `${said.slice(0, CHARACTERS)}…` : said} needle={app.view.text} />
          </span>
          )}
      {(isCut || (kind !== null && !isWhole)) && (
        <button type='button' class='quiet' onClick={() => { setWhole(true) }}>{text('showAll')}</button>
      )}
      <CopyButton app={app} name={name} value={value} />
    </li>
  )
}

const Chip = ({ kind, size }: { kind: string, size: number }) => (
  <span class='chip'>{text('omitted', { kind, size: bytes(size) })}</span>
)

/** A value that the page has not kept. It is read from the history on demand. */
function Left ({ app, message, name, value, path }: NodeProps & { value: Omitted }) {
  const [whole, setWhole] = useState<unknown>(undefined)
  const [problem, setProblem] = useState<string | null>(null)
  const read = async (): Promise<unknown> => {
    try {
      const found = whole ?? valueAt(await app.readWhole(message), path)
      setProblem(found === undefined ? text('valueGone') : null)
      return found
    } catch (error) {
      setProblem(problemOf(error).message)
    }
  }
  const saveIt = async (): Promise<void> => {
    const found = await read()
    if (found !== undefined) saveValue(`${message.id}-${name}`, found)
  }
  const picture = pictureIn(whole)
  return (
    <li>
      <Key app={app} name={name} /> <Chip kind={value.kind} size={value.size} />
      {whole === undefined && (
        <button type='button' class='quiet' onClick={() => { void read().then(setWhole) }}>{text('openValue')}</button>
      )}
      <button type='button' class='quiet' onClick={() => { void saveIt() }}>{text('saveValue')}</button>
      {problem !== null && <p class='bad' role='alert'>{problem}</p>}
      {picture !== null && <img class='picture' src={picture} alt={text('media')} />}
      {whole !== undefined && picture === null && <pre class='whole' tabIndex={0}>{asText(whole)}</pre>}
    </li>
  )
}

/** A picture as a picture, base64 as its bytes, and anything else as text. */
function saveValue (name: string, value: unknown): void {
  const type = typeof value === 'string' ? pictureType(value) : null
  if (typeof value !== 'string' || (type === null && !isBase64(value))) {
    save(`${name}.json`, [JSON.stringify(value, null, 2)], 'application/json')
    return
  }
  const content = Uint8Array.from(atob(value.replace(/^data:[^,]*,/, '')), letter => letter.charCodeAt(0))
  save(`${name}.${type?.replace('image/', '') ?? 'bin'}`, [content], type ?? 'application/octet-stream')
}

const asText = (value: unknown): string => typeof value === 'string' ? value : JSON.stringify(value, null, 2)

const valueAt = (value: unknown, path: readonly string[]): unknown =>
  path.reduce<unknown>((found, key) => (found as Record<string, unknown> | null | undefined)?.[key], value)
