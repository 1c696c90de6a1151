// Ends `npm run test:coverage`: fails when the lines of lib/ that the tests have run are too few.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const LEAST = 95
const REPORT = '.tap/report/coverage-summary.json'

/** Of lib/ alone: a bundle whose source map was not found counts as a file of its own, and so do examples. */
function lineCoverage () {
  const lib = fileURLToPath(new URL('../lib/', import.meta.url))
  const summary = JSON.parse(readFileSync(new URL(`../${REPORT}`, import.meta.url), 'utf8'))
  const lines = Object.entries(summary).filter(([file]) => file.startsWith(lib)).map(([, counts]) => counts.lines)
  const total = lines.reduce((sum, of) => sum + of.total, 0)
  const covered = lines.reduce((sum, of) => sum + of.covered, 0)
  if (total === 0) throw new Error(`${REPORT} counts no lines of lib/: did the tests load it?`)
  // Rounded down, so that 94.996 is not shown as the 95 that it is not.
  return Math.floor(covered / total * 10_000) / 100
}

const coverage = lineCoverage()
if (coverage < LEAST) {
  console.error(`line coverage: ${coverage} %, and ${LEAST} % is the least`)
  process.exitCode = 1
} else {
  console.log(`line coverage: ${coverage} %`)
}
