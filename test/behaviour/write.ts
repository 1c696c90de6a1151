import { writeFileSync } from 'node:fs'
import { isRight, pageOf } from './page.js'
import { playAll } from './play-all.js'

// npm run behaviour

const played = await playAll()
writeFileSync(new URL('../../docs/behaviour.md', import.meta.url), pageOf(played))
const wrong = played.filter(one => !isRight(one))
for (const { row: { state, happening, way }, seen } of wrong) console.error(state, '|', happening, '|', way, seen)
console.log(`docs/behaviour.md: ${played.length} rows, of which ${wrong.length} are not as test/behaviour/rows.ts says`)
process.exitCode = wrong.length === 0 ? 0 : 1
