import { useState } from 'preact/hooks'
import type { App } from '../app.js'
import { text } from '../texts.js'
import { Languages } from './dialogs.js'

/** The whole page, when it needs a key. */
export function SignIn ({ app }: { app: App }) {
  const [key, setKey] = useState(app.api.access.key)
  const [only, setOnly] = useState(app.api.access.only)
  const [isShown, setShown] = useState(false)
  const problem = app.problem
  const isFirst = problem?.code === 'UNAUTHORIZED'
  const submit = (event: Event): void => {
    event.preventDefault()
    void app.start({ key: key.trim(), only: only.trim() })
  }
  return (
    <main class='alone'>
      <form class='sign-in' onSubmit={submit}>
        <h1>{text('signInTitle')}</h1>
        {!isFirst && <p class='bad' role='alert'>{problem?.message}</p>}
        <label for='key'>{text('key')}</label>
        <input
          id='key'
          {...{ type: isShown ? 'text' : 'password' } as { type: 'password' }}
          value={key}
          required
          autocomplete='off'
          spellcheck={false}
          onInput={({ currentTarget }) => { setKey(currentTarget.value) }}
        />
        <label class='check'>
          <input type='checkbox' checked={isShown} onChange={() => { setShown(!isShown) }} /> {text('showKey')}
        </label>
        <label for='only'>{text('only')}</label>
        <input
          id='only'
          value={only}
          maxLength={100}
          autocomplete='off'
          spellcheck={false}
          aria-describedby='only-hint'
          onInput={({ currentTarget }) => { setOnly(currentTarget.value) }}
        />
        <p id='only-hint' class='hint'>{text('onlyHint')}</p>
        <button type='submit' class='primary'>{text('signIn')}</button>
        <p class='hint'>{text('keyHint')}</p>
        <Languages app={app} />
      </form>
    </main>
  )
}
